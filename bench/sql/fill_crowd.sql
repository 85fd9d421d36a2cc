-- Gives one user, user-crowd, :rows active sessions.
SET session_replication_role = replica;

INSERT INTO users (id, name, email, created_at, updated_at)
SELECT 'user-crowd', 'User Crowd', 'user-crowd@example.org', since, since
FROM (SELECT 'epoch'::timestamptz + (:now - 2592000000) * interval '1 millisecond' AS since) AS past;

INSERT INTO sessions (id, user_id, created_at, last_seen_at, expires_at, absolute_expires_at, idle_timeout, client_id,
    ip_address, location, user_agent, device_type, os, browser, scope, amr, metadata)
SELECT (lpad(to_hex(:now - 86400000 + i), 12, '0') || '7000a' || lpad(to_hex(i), 15, '0'))::uuid,
       'user-crowd', created_at, created_at, created_at + interval '45 days', created_at + interval '60 days', 604800,
       'web', '10.0.0.7', 'Lisbon, PT', 'Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0',
       'desktop', 'Linux', 'Firefox 145.0', 'profile', '["pwd","otp"]', '{}'
FROM (
    SELECT i, 'epoch'::timestamptz + (:now - 86400000 + i) * interval '1 millisecond' AS created_at
    FROM generate_series(0, :rows::bigint - 1) AS i
) AS numbered;
VACUUM ANALYZE sessions;
CHECKPOINT;

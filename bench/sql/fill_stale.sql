-- Adds :rows sessions that expired longer ago than the server keeps them, for it to clean up.
SET session_replication_role = replica;
SET synchronous_commit = off;

INSERT INTO sessions (id, user_id, created_at, last_seen_at, expires_at, absolute_expires_at, idle_timeout, client_id,
    ip_address, location, user_agent, device_type, os, browser, scope, amr, metadata)
SELECT (lpad(to_hex(:now - 7776000000 + i), 12, '0') || '70009' || lpad(to_hex(i), 15, '0'))::uuid,
       'user-' || 1 + i % (:sessions / 10 - 1), created_at, created_at, created_at + interval '7 days',
       created_at + interval '60 days', 604800, 'web', '10.0.0.7', 'Lisbon, PT',
       'Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0', 'desktop', 'Linux', 'Firefox 145.0',
       'profile', '["pwd","otp"]', '{}'
FROM (
    SELECT i, 'epoch'::timestamptz + (:now - 7776000000 + i) * interval '1 millisecond' AS created_at
    FROM generate_series(0, :rows::bigint - 1) AS i
) AS numbered;
CHECKPOINT;

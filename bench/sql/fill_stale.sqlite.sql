-- As fill_stale.sql: ?1 is the number of sessions there are, ?2 the time in milliseconds, ?3 how many to add.
WITH RECURSIVE numbers (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM numbers WHERE i + 1 < ?3),
timed AS (SELECT i, ?2 - 7776000000 + i AS ms, (?2 - 7776000000 + i) * 1000 AS created_at FROM numbers)
INSERT INTO sessions (id, user_id, created_at, last_seen_at, expires_at, absolute_expires_at, idle_timeout, client_id,
    ip_address, location, user_agent, device_type, os, browser, scope, amr, metadata)
SELECT unhex(printf('%012x70009%015x', ms, i)), 'user-' || (1 + i % (?1 / 10 - 1)), created_at, created_at,
       created_at + 7 * 86400000000, created_at + 60 * 86400000000, 604800, 'web', '10.0.0.7', 'Lisbon, PT',
       'Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0', 'desktop', 'Linux', 'Firefox 145.0',
       'profile', '["pwd","otp"]', '{}'
FROM timed;

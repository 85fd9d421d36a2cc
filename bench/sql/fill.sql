-- Fills an empty database with :sessions sessions of the 30 days before :now (milliseconds), ten a user.
-- Each user has one of every class (see the README): 0 and 1 have expired, 2 was ended, the others are active.
SET session_replication_role = replica;
SET synchronous_commit = off;
SET maintenance_work_mem = '1GB';

INSERT INTO users (id, name, email, created_at, updated_at)
SELECT CASE u WHEN 0 THEN 'd5552516-4436-4908-ab36-3e9725246304' ELSE 'user-' || u END,
       'User ' || u, 'user-' || u || '@example.org', since, since
FROM generate_series(0, :sessions / 10 - 1) AS u,
     (SELECT 'epoch'::timestamptz + (:now - 2592000000) * interval '1 millisecond' AS since) AS past;

-- Indexes are created afterwards, which is faster and leaves them as compact as a rebuild does.
CREATE TEMPORARY TABLE kept AS
SELECT indexname, indexdef FROM pg_indexes
WHERE schemaname = 'public' AND tablename = 'sessions'
  AND indexname NOT IN (SELECT conname FROM pg_constraint WHERE conrelid = 'sessions'::regclass);
SELECT format('DROP INDEX %I', indexname) FROM kept \gexec

WITH agents (n, user_agent, device_type, os, browser) AS (
    VALUES
    (0, 'Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36', 'desktop', 'Windows 10', 'Chrome 131'),
    (1, 'Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.1 Mobile/15E148 Safari/604.1', 'mobile', 'iPhone', 'Safari 18.1'),
    (2, 'Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0', 'desktop', 'Linux', 'Firefox 145.0'),
    (3, 'Mozilla/5.0 (Linux; Android 14; Pixel 8) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.6778.39 Mobile Safari/537.36', 'mobile', 'Android 14', 'Chrome 131'),
    (4, 'Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.1 Safari/605.1.15', 'desktop', 'Mac OSX', 'Safari 18.1')
), numbered AS (
    SELECT i, i % (:sessions / 10) AS u, (i + i / (:sessions / 10)) % 10 AS class,
           :now - 2592000000 + i * 2592000000 / :sessions AS created_ms
    FROM generate_series(0, :sessions::bigint - 1) AS i
), timed AS (
    SELECT *, 'epoch'::timestamptz + created_ms * interval '1 millisecond' AS created_at,
           'epoch'::timestamptz + :now * interval '1 millisecond' AS filled_at
    FROM numbered
)
INSERT INTO sessions (id, user_id, created_at, last_seen_at, expires_at, absolute_expires_at, idle_timeout, ended_at,
    end_reason, client_id, ip_address, location, user_agent, device_type, os, browser, scope, amr, metadata)
SELECT (lpad(to_hex(created_ms), 12, '0') || '70008' || lpad(to_hex(i), 15, '0'))::uuid,
       CASE u WHEN 0 THEN 'd5552516-4436-4908-ab36-3e9725246304' ELSE 'user-' || u END,
       created_at,
       CASE WHEN class < 3 THEN created_at ELSE greatest(created_at, filled_at - i % 86400 * interval '1 second') END,
       CASE WHEN class < 2 THEN created_at + (filled_at - created_at) / 2 ELSE created_at + interval '45 days' END,
       created_at + interval '60 days',
       604800,
       CASE class WHEN 2 THEN created_at + (filled_at - created_at) / 2 END,
       CASE class WHEN 2 THEN 'logout' END,
       'web', '10.' || (i % 200) || '.' || (i / 200 % 250) || '.7', 'Lisbon, PT',
       user_agent, device_type, os, browser, 'profile', '["pwd","otp"]', '{}'
FROM timed JOIN agents ON n = i % 5;

SELECT indexdef FROM kept \gexec
VACUUM ANALYZE;
CHECKPOINT;

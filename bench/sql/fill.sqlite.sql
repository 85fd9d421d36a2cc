-- As fill.sql: ?1 is the number of sessions, ?2 the time in milliseconds.
WITH RECURSIVE numbers (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM numbers WHERE i + 1 < ?1),
agents (n, user_agent, device_type, os, browser) AS (
    VALUES
    (0, 'Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36', 'desktop', 'Windows 10', 'Chrome 131'),
    (1, 'Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.1 Mobile/15E148 Safari/604.1', 'mobile', 'iPhone', 'Safari 18.1'),
    (2, 'Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0', 'desktop', 'Linux', 'Firefox 145.0'),
    (3, 'Mozilla/5.0 (Linux; Android 14; Pixel 8) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.6778.39 Mobile Safari/537.36', 'mobile', 'Android 14', 'Chrome 131'),
    (4, 'Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.1 Safari/605.1.15', 'desktop', 'Mac OSX', 'Safari 18.1')
), numbered AS (
    SELECT i, i % (?1 / 10) AS u, (i + i / (?1 / 10)) % 10 AS class, ?2 - 2592000000 + i * 2592000000 / ?1 AS created_ms
    FROM numbers
), timed AS (SELECT *, created_ms * 1000 AS created_at, ?2 * 1000 AS filled_at FROM numbered)
INSERT INTO sessions (id, user_id, created_at, last_seen_at, expires_at, absolute_expires_at, idle_timeout, ended_at,
    end_reason, client_id, ip_address, location, user_agent, device_type, os, browser, scope, amr, metadata)
SELECT unhex(printf('%012x70008%015x', created_ms, i)),
       CASE u WHEN 0 THEN 'd5552516-4436-4908-ab36-3e9725246304' ELSE 'user-' || u END,
       created_at,
       CASE WHEN class < 3 THEN created_at ELSE max(created_at, filled_at - i % 86400 * 1000000) END,
       CASE WHEN class < 2 THEN created_at + (filled_at - created_at) / 2 ELSE created_at + 45 * 86400000000 END,
       created_at + 60 * 86400000000,
       604800,
       CASE class WHEN 2 THEN created_at + (filled_at - created_at) / 2 END,
       CASE class WHEN 2 THEN 'logout' END,
       'web', '10.' || (i % 200) || '.' || (i / 200 % 250) || '.7', 'Lisbon, PT',
       user_agent, device_type, os, browser, 'profile', '["pwd","otp"]', '{}'
FROM timed CROSS JOIN agents ON n = i % 5;

-- As fill.sql: ?1 is the number of sessions, ?2 the time in milliseconds.
WITH RECURSIVE numbers (u) AS (SELECT 0 UNION ALL SELECT u + 1 FROM numbers WHERE u + 1 < ?1 / 10)
INSERT INTO users (id, name, email, created_at, updated_at)
SELECT CASE u WHEN 0 THEN 'd5552516-4436-4908-ab36-3e9725246304' ELSE 'user-' || u END,
       'User ' || u, 'user-' || u || '@example.org', (?2 - 2592000000) * 1000, (?2 - 2592000000) * 1000
FROM numbers;

\set m random(0, :sessions / 10 - 1)
\set k :m % 10
\set u :m / 10 * 10 + (13 - :k) % 10
\set i :k * (:sessions / 10) + :u
\set ms :now - 2592000000 + :i * 2592000000 / :sessions
UPDATE sessions SET expires_at = least(expires_at + interval '1 second', absolute_expires_at)
WHERE id = (lpad(to_hex(:ms::bigint), 12, '0') || '70008' || lpad(to_hex(:i::bigint), 15, '0'))::uuid AND ended_at IS NULL;

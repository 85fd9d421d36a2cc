-- Each client has a share of its own of the sessions of class 3.
\set n :n + 1
\set m (:client_id + :clients * :n) % (:sessions / 10)
\set k :m % 10
\set u :m / 10 * 10 + (13 - :k) % 10
\set i :k * (:sessions / 10) + :u
\set ms :now - 2592000000 + :i * 2592000000 / :sessions
UPDATE sessions SET ended_at = now(), end_reason = 'revoked_by_admin'
WHERE id = (lpad(to_hex(:ms::bigint), 12, '0') || '70008' || lpad(to_hex(:i::bigint), 15, '0'))::uuid AND ended_at IS NULL;

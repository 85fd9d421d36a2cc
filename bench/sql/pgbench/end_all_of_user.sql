-- Each client has a share of its own of the last quarter of the users.
\set n :n + 1
\set u :sessions / 40 * 3 + (:client_id + :clients * :n) % (:sessions / 40)
UPDATE sessions SET ended_at = now(), end_reason = 'revoked_by_admin'
WHERE user_id = 'user-' || :u::bigint AND ended_at IS NULL AND expires_at > now();

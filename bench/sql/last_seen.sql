-- Moves the last-seen time of the :asked_for requested sessions to :shift from now.
SET session_replication_role = replica;

WITH places AS (
    SELECT place * (:sessions / 20 * 4 / :asked_for) AS place FROM generate_series(0, :asked_for - 1) AS place
), numbers AS (
    SELECT (16 + place % 4 - place / 4 % 10) % 10 * (:sessions::bigint / 10) + place / 4 AS i FROM places
), ids AS (
    SELECT (lpad(to_hex(:now - 2592000000 + i * 2592000000 / :sessions), 12, '0')
            || '70008' || lpad(to_hex(i), 15, '0'))::uuid AS id
    FROM numbers
)
UPDATE sessions SET last_seen_at = now() + interval :'shift' FROM ids WHERE sessions.id = ids.id;

-- No function takes, returns or declares a table's row type: PostgreSQL would refuse later changes of the table's columns.
--
-- Replicas of the previous version call the dropped functions in almost every statement. From the commit of this migration
-- until they are replaced they answer with errors, never with a yes, and they cannot be started again.
--
-- Functions find the tables wherever they are called from: the search path that each of them keeps is the schema of the
-- tables. A schema that is renamed needs it set anew.
-- On a new database there is nothing to drop, which is not worth a word.
SET LOCAL client_min_messages = 'warning';

SELECT set_config('search_path', relnamespace::regnamespace || ', pg_temp', TRUE)
FROM pg_class WHERE oid = 'sessions'::regclass;

-- Logical replication of all tables needs a key in each. First, because it waits for everybody who reads the table, and
-- endings would wait behind the trigger below.
ALTER TABLE statistics_progress ADD COLUMN singleton boolean NOT NULL DEFAULT TRUE PRIMARY KEY CHECK (singleton);

DROP FUNCTION IF EXISTS bulk_ending_of(sessions);
DROP FUNCTION IF EXISTS covers(bulk_endings, sessions);

-- The first bulk ending that means the session and is not carried out yet; null when there is none.
CREATE FUNCTION bulk_ending_of(
    id uuid, user_id text, created_at timestamptz, client_id text, device_type text, ip_address text,
    OUT at timestamptz, OUT reason text
) LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path FROM CURRENT AS $$
BEGIN
    SELECT ending.at, ending.reason INTO bulk_ending_of.at, bulk_ending_of.reason
    FROM bulk_endings AS ending
    WHERE ending.done_at IS NULL
        AND bulk_ending_of.created_at <= ending.opened_until
        AND (ending.opened_from IS NULL OR bulk_ending_of.created_at >= ending.opened_from)
        AND (ending.user_id IS NULL OR ending.user_id = bulk_ending_of.user_id)
        AND (ending.client_id IS NULL OR ending.client_id = bulk_ending_of.client_id)
        AND (ending.device_type IS NULL OR ending.device_type = bulk_ending_of.device_type)
        AND (ending.ip_address IS NULL OR ending.ip_address = bulk_ending_of.ip_address)
        AND (ending.except_id IS NULL OR ending.except_id <> bulk_ending_of.id)
    ORDER BY ending.sequence LIMIT 1;
END
$$;

CREATE OR REPLACE FUNCTION count_deleted_sessions() RETURNS trigger LANGUAGE plpgsql
SET search_path FROM CURRENT AS $$
DECLARE
    counted timestamptz;
    counted_of_its_end timestamptz;
    rows_written bigint;
BEGIN
    IF NOT EXISTS (SELECT FROM gone) THEN
        RETURN NULL;
    END IF;
    -- The roll-up holds this row as well, so that nothing is counted twice.
    SELECT counted_until, coalesce(opened_until, '-infinity') INTO counted, counted_of_its_end
    FROM statistics_progress FOR UPDATE;
    -- In a CTE, because Citus plans no other INSERT of what is selected.
    WITH written AS (
        INSERT INTO statistics (step, start, client_id, device_type, kind, count)
        SELECT step,
            CASE WHEN step = 'ever' THEN timestamptz '1970-01-01Z' ELSE date_trunc(step, at, 'UTC') END AS start,
            coalesce(client_id, ''), device_type, kind, count(*)
        FROM (
            SELECT created_at AS at, client_id, device_type, 'opened' AS kind FROM gone
            WHERE created_at >= counted
            UNION ALL
            SELECT ended_at, client_id, device_type, end_reason FROM gone
            WHERE ended_at < expires_at AND (ended_at > counted OR ended_at = counted AND created_at > counted_of_its_end)
            UNION ALL
            SELECT least(expires_at, last_seen_at + make_interval(secs => idle_timeout)), client_id, device_type, 'expired'
            FROM gone
            WHERE expires_at >= counted AND (ended_at IS NULL OR ended_at >= expires_at)
        ) AS events, (VALUES ('hour'), ('day'), ('ever')) AS steps (step)
        GROUP BY 1, 2, 3, 4, 5
        ON CONFLICT (step, start, client_id, device_type, kind) DO UPDATE
            SET count = statistics.count + excluded.count
        RETURNING 1
    )
    SELECT count(*) INTO rows_written FROM written;
    RETURN NULL;
END
$$;

-- Replicas throw their cache entries of a user away for each `session_changed`, so only what makes an entry wrong is logged. A
-- refresh that moves the end later does not: an entry may only say yes, and a session that it would refuse is read.
CREATE OR REPLACE FUNCTION log_session_changed() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    IF NEW.ended_at IS NULL
        AND ((OLD.device_name, OLD.metadata) IS DISTINCT FROM (NEW.device_name, NEW.metadata)
            OR NEW.expires_at < OLD.expires_at
            OR NEW.expires_at > OLD.expires_at AND NEW.refresh_counter = OLD.refresh_counter)
    THEN
        INSERT INTO changes (kind, subject_id, user_id) VALUES ('session_changed', NEW.id, NEW.user_id);
    END IF;
    RETURN NULL;
END
$$;

ALTER FUNCTION sessions_refuse_resurrection() SET search_path FROM CURRENT;
ALTER FUNCTION log_session_ended() SET search_path FROM CURRENT;
ALTER FUNCTION log_user_changed() SET search_path FROM CURRENT;
ALTER FUNCTION log_service_key_revoked() SET search_path FROM CURRENT;
ALTER FUNCTION log_signing_keys_changed() SET search_path FROM CURRENT;
ALTER FUNCTION log_bulk_ending() SET search_path FROM CURRENT;

-- A change that replicas must learn of is durable when its transaction is answered, even where a connection pooler or the
-- server's configuration has turned synchronous_commit off. A stronger setting than `on` is kept.
CREATE FUNCTION make_change_durable() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    IF current_setting('synchronous_commit') = 'off' THEN
        PERFORM set_config('synchronous_commit', 'on', TRUE);
    END IF;
    RETURN NULL;
END
$$;

CREATE TRIGGER changes_durable BEFORE INSERT ON changes FOR EACH STATEMENT EXECUTE FUNCTION make_change_durable();

-- A fifth of a large table is too long to wait for a vacuum.
ALTER TABLE sessions SET (autovacuum_vacuum_scale_factor = 0.01);

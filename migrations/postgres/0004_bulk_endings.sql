-- Sessions that were ended together by one row, however many they are: they count as ended from the moment it is committed,
-- and their own rows are brought up to it afterwards.
CREATE TABLE bulk_endings (
    -- In the order of their commits: one is made at a time.
    sequence     bigint PRIMARY KEY,
    at           timestamptz NOT NULL,
    reason       text NOT NULL,
    -- Which sessions: those opened up to this instant, and what else is not null.
    opened_until timestamptz NOT NULL,
    opened_from  timestamptz,
    user_id      text COLLATE "C",
    client_id    text,
    device_type  text,
    ip_address   text,
    except_id    uuid,
    -- How far the rows are brought up to it; done_at: all of them.
    reached_at   timestamptz,
    reached_id   uuid,
    done_at      timestamptz
);

CREATE INDEX bulk_endings_open ON bulk_endings (sequence) WHERE done_at IS NULL;
-- A session to be opened must be younger than each of them, whatever the clocks of replicas say.
CREATE INDEX bulk_endings_by_reach ON bulk_endings (opened_until);

CREATE FUNCTION log_bulk_ending() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO changes (kind, user_id, reason, at) VALUES ('bulk_ending', NEW.user_id, NEW.reason, NEW.at);
    RETURN NULL;
END
$$;

CREATE TRIGGER bulk_endings_log AFTER INSERT ON bulk_endings FOR EACH ROW EXECUTE FUNCTION log_bulk_ending();

-- What a bulk ending says is in the log once already.
DROP TRIGGER sessions_log_ended ON sessions;
CREATE TRIGGER sessions_log_ended AFTER UPDATE OF ended_at ON sessions FOR EACH ROW
    WHEN (OLD.ended_at IS NULL AND NEW.ended_at IS NOT NULL
          AND current_setting('sojourn.carrying_out', TRUE) IS DISTINCT FROM 'on')
    EXECUTE FUNCTION log_session_ended();

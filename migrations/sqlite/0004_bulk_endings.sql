-- Sessions that were ended together by one row, however many they are: they count as ended from the moment it is committed,
-- and their own rows are brought up to it afterwards.
CREATE TABLE bulk_endings (
    sequence     INTEGER PRIMARY KEY,
    at           INTEGER NOT NULL,
    reason       TEXT NOT NULL,
    -- Which sessions: those opened up to this instant, and what else is not null.
    opened_until INTEGER NOT NULL,
    opened_from  INTEGER,
    user_id      TEXT,
    client_id    TEXT,
    device_type  TEXT,
    ip_address   TEXT,
    except_id    BLOB,
    -- How far the rows are brought up to it; done_at: all of them.
    reached_at   INTEGER,
    reached_id   BLOB,
    done_at      INTEGER,
    -- True only within a transaction that brings rows up to it.
    carrying_out INTEGER NOT NULL DEFAULT FALSE
) STRICT;

CREATE INDEX bulk_endings_open ON bulk_endings (sequence) WHERE done_at IS NULL;
-- A session to be opened must be younger than each of them, whatever the clock says.
CREATE INDEX bulk_endings_by_reach ON bulk_endings (opened_until);

CREATE TRIGGER bulk_endings_log AFTER INSERT ON bulk_endings
BEGIN
    INSERT INTO changes (kind, user_id, reason, at) VALUES ('bulk_ending', NEW.user_id, NEW.reason, NEW.at);
END;

-- What a bulk ending says is in the log once already.
DROP TRIGGER sessions_log_ended;
CREATE TRIGGER sessions_log_ended AFTER UPDATE OF ended_at ON sessions
    WHEN OLD.ended_at IS NULL AND NEW.ended_at IS NOT NULL
        AND NOT EXISTS (SELECT 1 FROM bulk_endings WHERE done_at IS NULL AND carrying_out)
BEGIN
    INSERT INTO changes (kind, subject_id, user_id, reason, at)
    VALUES ('session_ended', NEW.id, NEW.user_id, NEW.end_reason, NEW.ended_at);
END;

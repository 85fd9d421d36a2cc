-- What every process on this file must learn of, written by triggers so that no statement can forget it, in the transaction
-- that makes the change. There is one writer at a time, so the order of the numbers is the order of the commits.
CREATE TABLE changes (
    sequence   INTEGER PRIMARY KEY AUTOINCREMENT,
    kind       TEXT NOT NULL,
    -- The session's or the service key's.
    subject_id BLOB,
    user_id    TEXT,
    reason     TEXT,
    at         INTEGER
) STRICT;

CREATE TRIGGER sessions_log_ended AFTER UPDATE OF ended_at ON sessions
    WHEN OLD.ended_at IS NULL AND NEW.ended_at IS NOT NULL
BEGIN
    INSERT INTO changes (kind, subject_id, user_id, reason, at)
    VALUES ('session_ended', NEW.id, NEW.user_id, NEW.end_reason, NEW.ended_at);
END;

CREATE TRIGGER sessions_log_changed AFTER UPDATE OF device_name, metadata, expires_at ON sessions
    WHEN NEW.ended_at IS NULL AND (OLD.device_name, OLD.metadata, OLD.expires_at)
                                   IS NOT (NEW.device_name, NEW.metadata, NEW.expires_at)
BEGIN
    INSERT INTO changes (kind, subject_id, user_id) VALUES ('session_changed', NEW.id, NEW.user_id);
END;

CREATE TRIGGER users_log_changed AFTER UPDATE OF name, email, banned_at ON users
    WHEN (OLD.name, OLD.email, OLD.banned_at) IS NOT (NEW.name, NEW.email, NEW.banned_at)
BEGIN
    INSERT INTO changes (kind, user_id) VALUES ('user_changed', OLD.id);
END;

CREATE TRIGGER users_log_deleted AFTER DELETE ON users
BEGIN
    INSERT INTO changes (kind, user_id) VALUES ('user_changed', OLD.id);
END;

CREATE TRIGGER service_keys_log_revoked AFTER UPDATE OF revoked_at ON service_keys
BEGIN
    INSERT INTO changes (kind, subject_id) VALUES ('service_key_revoked', NEW.id);
END;

CREATE TRIGGER signing_keys_log_added AFTER INSERT ON signing_keys
BEGIN
    INSERT INTO changes (kind) VALUES ('signing_keys_changed');
END;

CREATE TRIGGER signing_keys_log_removed AFTER DELETE ON signing_keys
BEGIN
    INSERT INTO changes (kind) VALUES ('signing_keys_changed');
END;

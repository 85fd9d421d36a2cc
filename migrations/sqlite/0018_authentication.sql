-- A user can authenticate anew in a running session: see the PostgreSQL file of the same name.
ALTER TABLE sessions ADD COLUMN authenticated_at INTEGER;
ALTER TABLE sessions ADD COLUMN least_counter INTEGER NOT NULL DEFAULT 0;

DROP TRIGGER sessions_ended_is_terminal;
CREATE TRIGGER sessions_ended_is_terminal BEFORE UPDATE ON sessions FOR EACH ROW
    WHEN (OLD.ended_at IS NOT NULL
              AND (OLD.ended_at, OLD.end_reason, OLD.expires_at, OLD.absolute_expires_at, OLD.refresh_counter)
                  IS NOT (NEW.ended_at, NEW.end_reason, NEW.expires_at, NEW.absolute_expires_at, NEW.refresh_counter))
         OR NEW.absolute_expires_at > OLD.absolute_expires_at
         OR NEW.least_counter < OLD.least_counter
         OR (OLD.id, OLD.user_id, OLD.created_at) IS NOT (NEW.id, NEW.user_id, NEW.created_at)
BEGIN
    SELECT RAISE(ABORT, 'a session cannot change its end any more');
END;

DROP TRIGGER sessions_log_changed;
CREATE TRIGGER sessions_log_changed AFTER UPDATE OF device_name, metadata, expires_at, least_counter ON sessions
    WHEN NEW.ended_at IS NULL
        AND ((OLD.device_name, OLD.metadata, OLD.least_counter)
                IS NOT (NEW.device_name, NEW.metadata, NEW.least_counter)
            OR NEW.expires_at < OLD.expires_at
            OR NEW.expires_at > OLD.expires_at AND NEW.refresh_counter = OLD.refresh_counter)
BEGIN
    INSERT INTO changes (kind, subject_id, user_id) VALUES ('session_changed', NEW.id, NEW.user_id);
END;

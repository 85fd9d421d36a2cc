-- SQLite has no functions of its own, commits durably on each connection, and replicates no tables.
DROP TRIGGER sessions_log_changed;
CREATE TRIGGER sessions_log_changed AFTER UPDATE OF device_name, metadata, expires_at ON sessions
    WHEN NEW.ended_at IS NULL
        AND ((OLD.device_name, OLD.metadata) IS NOT (NEW.device_name, NEW.metadata)
            OR NEW.expires_at < OLD.expires_at
            OR NEW.expires_at > OLD.expires_at AND NEW.refresh_counter = OLD.refresh_counter)
BEGIN
    INSERT INTO changes (kind, subject_id, user_id) VALUES ('session_changed', NEW.id, NEW.user_id);
END;

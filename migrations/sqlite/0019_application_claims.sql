-- Claims of an application's access tokens, and its signature algorithm: see the PostgreSQL file of the same name.
ALTER TABLE applications ADD COLUMN claims TEXT;
ALTER TABLE applications ADD COLUMN signing_algorithm TEXT;
ALTER TABLE sessions ADD COLUMN claims TEXT;
ALTER TABLE signing_keys ADD COLUMN wanted_at INTEGER;

DROP TRIGGER sessions_log_changed;
CREATE TRIGGER sessions_log_changed AFTER UPDATE OF device_name, metadata, claims, expires_at, least_counter ON sessions
    WHEN NEW.ended_at IS NULL
        AND ((OLD.device_name, OLD.metadata, OLD.claims, OLD.least_counter)
                IS NOT (NEW.device_name, NEW.metadata, NEW.claims, NEW.least_counter)
            OR NEW.expires_at < OLD.expires_at
            OR NEW.expires_at > OLD.expires_at AND NEW.refresh_counter = OLD.refresh_counter)
BEGIN
    INSERT INTO changes (kind, subject_id, user_id) VALUES ('session_changed', NEW.id, NEW.user_id);
END;

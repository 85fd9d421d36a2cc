-- A user can authenticate anew in a running session. Servers of the previous version go on: they open sessions without
-- the new columns, and accept tokens from before a new authentication until they are replaced.
--
-- The time of the last authentication; null means `created_at`. No index: nothing is looked up by it.
ALTER TABLE sessions ADD COLUMN authenticated_at timestamptz;
-- The lowest counter that a token may have: a new authentication raises it, and with it refuses all earlier tokens.
ALTER TABLE sessions ADD COLUMN least_counter integer NOT NULL DEFAULT 0;

SELECT set_config('search_path', relnamespace::regnamespace || ', pg_temp', TRUE)
FROM pg_class WHERE oid = 'sessions'::regclass;

-- The absolute end of an active session may come earlier, because a higher level of authentication has tighter limits.
-- It never moves later.
CREATE OR REPLACE FUNCTION sessions_refuse_resurrection() RETURNS trigger
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    IF OLD.ended_at IS NOT NULL
            AND (OLD.ended_at, OLD.end_reason, OLD.expires_at, OLD.absolute_expires_at, OLD.refresh_counter)
            IS DISTINCT FROM
                (NEW.ended_at, NEW.end_reason, NEW.expires_at, NEW.absolute_expires_at, NEW.refresh_counter)
        OR NEW.absolute_expires_at > OLD.absolute_expires_at
        OR NEW.least_counter < OLD.least_counter
        OR (OLD.id, OLD.user_id, OLD.created_at) IS DISTINCT FROM (NEW.id, NEW.user_id, NEW.created_at)
    THEN
        RAISE EXCEPTION 'session % cannot change its end any more', OLD.id USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END
$$;

-- A new authentication makes cache entries wrong, because tokens that they accept are to be refused.
CREATE OR REPLACE FUNCTION log_session_changed() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    IF NEW.ended_at IS NULL
        AND ((OLD.device_name, OLD.metadata, OLD.least_counter)
                IS DISTINCT FROM (NEW.device_name, NEW.metadata, NEW.least_counter)
            OR NEW.expires_at < OLD.expires_at
            OR NEW.expires_at > OLD.expires_at AND NEW.refresh_counter = OLD.refresh_counter)
    THEN
        INSERT INTO changes (kind, subject_id, user_id) VALUES ('session_changed', NEW.id, NEW.user_id);
    END IF;
    RETURN NULL;
END
$$;

DROP TRIGGER sessions_log_changed ON sessions;
CREATE TRIGGER sessions_log_changed AFTER UPDATE OF device_name, metadata, expires_at, least_counter ON sessions
    FOR EACH ROW EXECUTE FUNCTION log_session_changed();

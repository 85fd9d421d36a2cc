-- Which sessions a bulk ending means was a part of nearly every statement, and nearly half of what planning and starting it
-- took. As functions it costs a call, and only while a bulk ending is not carried out.

-- That the bulk ending means the session.
CREATE FUNCTION covers(ending bulk_endings, session sessions) RETURNS boolean LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN session.created_at <= ending.opened_until
    AND (ending.opened_from IS NULL OR session.created_at >= ending.opened_from)
    AND (ending.user_id IS NULL OR ending.user_id = session.user_id)
    AND (ending.client_id IS NULL OR ending.client_id = session.client_id)
    AND (ending.device_type IS NULL OR ending.device_type = session.device_type)
    AND (ending.ip_address IS NULL OR ending.ip_address = session.ip_address)
    AND (ending.except_id IS NULL OR ending.except_id <> session.id);

-- The first bulk ending that means the session and is not carried out yet; all null when there is none.
CREATE FUNCTION bulk_ending_of(session sessions) RETURNS bulk_endings LANGUAGE plpgsql STABLE PARALLEL SAFE AS $$
DECLARE
    found_first bulk_endings;
BEGIN
    SELECT * INTO found_first FROM bulk_endings AS ending
    WHERE done_at IS NULL AND covers(ending, session) ORDER BY sequence LIMIT 1;
    RETURN found_first;
END
$$;

-- What stands in the WHEN of a trigger is read anew by every statement that might fire it, which takes longer than the
-- whole function. So the functions ask.
CREATE OR REPLACE FUNCTION sessions_refuse_resurrection() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.ended_at IS NOT NULL AND (OLD.ended_at, OLD.end_reason, OLD.expires_at, OLD.refresh_counter)
            IS DISTINCT FROM (NEW.ended_at, NEW.end_reason, NEW.expires_at, NEW.refresh_counter)
        OR (OLD.id, OLD.user_id, OLD.created_at, OLD.absolute_expires_at)
            IS DISTINCT FROM (NEW.id, NEW.user_id, NEW.created_at, NEW.absolute_expires_at)
    THEN
        RAISE EXCEPTION 'session % cannot change its end any more', OLD.id USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END
$$;

DROP TRIGGER sessions_ended_is_terminal ON sessions;
CREATE TRIGGER sessions_ended_is_terminal BEFORE UPDATE ON sessions FOR EACH ROW
    EXECUTE FUNCTION sessions_refuse_resurrection();

CREATE OR REPLACE FUNCTION log_session_ended() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    -- What a bulk ending says is in the log once already.
    IF OLD.ended_at IS NULL AND NEW.ended_at IS NOT NULL
        AND current_setting('sojourn.carrying_out', TRUE) IS DISTINCT FROM 'on'
    THEN
        INSERT INTO changes (kind, subject_id, user_id, reason, at)
        VALUES ('session_ended', NEW.id, NEW.user_id, NEW.end_reason, NEW.ended_at);
    END IF;
    RETURN NULL;
END
$$;

DROP TRIGGER sessions_log_ended ON sessions;
CREATE TRIGGER sessions_log_ended AFTER UPDATE OF ended_at ON sessions FOR EACH ROW
    EXECUTE FUNCTION log_session_ended();

CREATE OR REPLACE FUNCTION log_session_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.ended_at IS NULL AND (OLD.device_name, OLD.metadata, OLD.expires_at)
            IS DISTINCT FROM (NEW.device_name, NEW.metadata, NEW.expires_at)
    THEN
        INSERT INTO changes (kind, subject_id, user_id) VALUES ('session_changed', NEW.id, NEW.user_id);
    END IF;
    RETURN NULL;
END
$$;

DROP TRIGGER sessions_log_changed ON sessions;
CREATE TRIGGER sessions_log_changed AFTER UPDATE OF device_name, metadata, expires_at ON sessions FOR EACH ROW
    EXECUTE FUNCTION log_session_changed();

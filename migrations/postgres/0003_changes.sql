-- What every replica must learn of, written by triggers so that no statement can forget it, in the transaction that makes
-- the change. Replicas read it to the end again and again; what all of them have read long ago is deleted.
CREATE TABLE changes (
    -- Transactions commit in another order than they draw numbers; these tell which of them may still be under way.
    transaction_id xid8 NOT NULL DEFAULT pg_current_xact_id(),
    sequence       bigint NOT NULL GENERATED ALWAYS AS IDENTITY,
    kind           text NOT NULL,
    -- The session's or the service key's.
    subject_id     uuid,
    user_id        text COLLATE "C",
    reason         text,
    at             timestamptz,
    PRIMARY KEY (transaction_id, sequence)
);

CREATE FUNCTION log_session_ended() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO changes (kind, subject_id, user_id, reason, at)
    VALUES ('session_ended', NEW.id, NEW.user_id, NEW.end_reason, NEW.ended_at);
    RETURN NULL;
END
$$;

CREATE TRIGGER sessions_log_ended AFTER UPDATE OF ended_at ON sessions FOR EACH ROW
    WHEN (OLD.ended_at IS NULL AND NEW.ended_at IS NOT NULL)
    EXECUTE FUNCTION log_session_ended();

CREATE FUNCTION log_session_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO changes (kind, subject_id, user_id) VALUES ('session_changed', NEW.id, NEW.user_id);
    RETURN NULL;
END
$$;

CREATE TRIGGER sessions_log_changed AFTER UPDATE OF device_name, metadata, expires_at ON sessions FOR EACH ROW
    WHEN (NEW.ended_at IS NULL AND (OLD.device_name, OLD.metadata, OLD.expires_at)
                                    IS DISTINCT FROM (NEW.device_name, NEW.metadata, NEW.expires_at))
    EXECUTE FUNCTION log_session_changed();

CREATE FUNCTION log_user_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO changes (kind, user_id) VALUES ('user_changed', OLD.id);
    RETURN NULL;
END
$$;

CREATE TRIGGER users_log_changed AFTER UPDATE OF name, email, banned_at ON users FOR EACH ROW
    WHEN ((OLD.name, OLD.email, OLD.banned_at) IS DISTINCT FROM (NEW.name, NEW.email, NEW.banned_at))
    EXECUTE FUNCTION log_user_changed();

CREATE TRIGGER users_log_deleted AFTER DELETE ON users FOR EACH ROW EXECUTE FUNCTION log_user_changed();

CREATE FUNCTION log_service_key_revoked() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO changes (kind, subject_id) VALUES ('service_key_revoked', NEW.id);
    RETURN NULL;
END
$$;

CREATE TRIGGER service_keys_log_revoked AFTER UPDATE OF revoked_at ON service_keys FOR EACH ROW
    EXECUTE FUNCTION log_service_key_revoked();

CREATE FUNCTION log_signing_keys_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO changes (kind) VALUES ('signing_keys_changed');
    RETURN NULL;
END
$$;

CREATE TRIGGER signing_keys_log_changed AFTER INSERT OR DELETE ON signing_keys FOR EACH STATEMENT
    EXECUTE FUNCTION log_signing_keys_changed();

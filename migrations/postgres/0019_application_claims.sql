-- Claims of an application's access tokens, and its signature algorithm. Older servers know none of it: an application gets
-- an algorithm of its own once all servers are new, because older ones sign everything with the newest key.

-- The names of claims that openers may add to the access tokens of the application: a JSON list; null: none.
ALTER TABLE applications ADD COLUMN claims text;
-- The algorithm that signs the application's access tokens; null: the server's.
ALTER TABLE applications ADD COLUMN signing_algorithm text;

-- The claims that the opener adds to the session's access tokens: a JSON object; null: none.
ALTER TABLE sessions ADD COLUMN claims text;

-- The latest time at which some server needed the algorithm of the key; null: never noted. A key that is needed no more is
-- published until its last token has expired.
ALTER TABLE signing_keys ADD COLUMN wanted_at timestamptz;

SELECT set_config('search_path', relnamespace::regnamespace || ', pg_temp', TRUE)
FROM pg_class WHERE oid = 'sessions'::regclass;

-- As in migration 18, and for the claims too, which cache entries have.
CREATE OR REPLACE FUNCTION log_session_changed() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    IF NEW.ended_at IS NULL
        AND ((OLD.device_name, OLD.metadata, OLD.claims, OLD.least_counter)
                IS DISTINCT FROM (NEW.device_name, NEW.metadata, NEW.claims, NEW.least_counter)
            OR NEW.expires_at < OLD.expires_at
            OR NEW.expires_at > OLD.expires_at AND NEW.refresh_counter = OLD.refresh_counter)
    THEN
        INSERT INTO changes (kind, subject_id, user_id) VALUES ('session_changed', NEW.id, NEW.user_id);
    END IF;
    RETURN NULL;
END
$$;

DROP TRIGGER sessions_log_changed ON sessions;
CREATE TRIGGER sessions_log_changed AFTER UPDATE OF device_name, metadata, claims, expires_at, least_counter ON sessions
    FOR EACH ROW EXECUTE FUNCTION log_session_changed();

-- The credential that a session was opened with: `key:` and a service key's id, `session:` and the id of a user's session,
-- `bootstrap`, or `command-line`. Null for sessions from before. No index: each would cost every opening.
ALTER TABLE sessions ADD COLUMN opened_by text;
ALTER TABLE bulk_endings ADD COLUMN opened_by text;

SELECT set_config('search_path', relnamespace::regnamespace || ', pg_temp', TRUE)
FROM pg_class WHERE oid = 'sessions'::regclass;

-- The first bulk ending that means the session and is not carried out yet; null when there is none.
CREATE FUNCTION bulk_ending_of(
    id uuid, user_id text, created_at timestamptz, client_id text, device_type text, ip_address text, opened_by text,
    OUT at timestamptz, OUT reason text
) LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path FROM CURRENT AS $$
BEGIN
    SELECT ending.at, ending.reason INTO bulk_ending_of.at, bulk_ending_of.reason
    FROM bulk_endings AS ending
    WHERE ending.done_at IS NULL
        AND bulk_ending_of.created_at <= ending.opened_until
        AND (ending.opened_from IS NULL OR bulk_ending_of.created_at >= ending.opened_from)
        AND (ending.user_id IS NULL OR ending.user_id = bulk_ending_of.user_id)
        AND (ending.client_id IS NULL OR ending.client_id = bulk_ending_of.client_id)
        AND (ending.device_type IS NULL OR ending.device_type = bulk_ending_of.device_type)
        AND (ending.ip_address IS NULL OR ending.ip_address = bulk_ending_of.ip_address)
        AND (ending.opened_by IS NULL OR ending.opened_by = bulk_ending_of.opened_by)
        AND (ending.except_id IS NULL OR ending.except_id <> bulk_ending_of.id)
    ORDER BY ending.sequence LIMIT 1;
END
$$;

-- For replicas of the previous version, which go on until they are replaced.
CREATE OR REPLACE FUNCTION bulk_ending_of(
    id uuid, user_id text, created_at timestamptz, client_id text, device_type text, ip_address text,
    OUT at timestamptz, OUT reason text
) LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path FROM CURRENT AS $$
BEGIN
    SELECT ending.at, ending.reason INTO bulk_ending_of.at, bulk_ending_of.reason
    FROM sessions AS session CROSS JOIN LATERAL bulk_ending_of(
        session.id, session.user_id, session.created_at, session.client_id, session.device_type, session.ip_address,
        session.opened_by
    ) AS ending
    WHERE session.id = bulk_ending_of.id;
END
$$;

-- Such a replica would take a bulk ending of what one credential opened for one of everybody's sessions. So carrying it out is
-- refused to every transaction that does not say that it knows the condition.
CREATE FUNCTION bulk_endings_refuse_ignorance() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    IF OLD.opened_by IS NOT NULL AND current_setting('sojourn.knows_openers', TRUE) IS DISTINCT FROM 'on' THEN
        RAISE EXCEPTION 'bulk ending % needs a newer version', OLD.sequence USING ERRCODE = 'feature_not_supported';
    END IF;
    RETURN NEW;
END
$$;

CREATE TRIGGER bulk_endings_need_knowledge BEFORE UPDATE OF reached_at, reached_id, done_at ON bulk_endings
    FOR EACH ROW EXECUTE FUNCTION bulk_endings_refuse_ignorance();

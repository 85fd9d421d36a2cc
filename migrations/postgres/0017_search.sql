-- Users are found by the beginnings of their names and by their addresses, whatever the case of ASCII letters, and banned ones
-- among many. Older servers need no more than before. The indexes block changes to users while they are built. On a large table
-- build them by hand beforehand, each with CREATE INDEX CONCURRENTLY.
CREATE INDEX IF NOT EXISTS users_by_email ON users (lower(email COLLATE "C"), id);
CREATE INDEX IF NOT EXISTS users_by_name ON users (lower(name COLLATE "C"), id);
CREATE INDEX IF NOT EXISTS users_banned ON users (id) WHERE banned_at IS NOT NULL;

-- Bulk endings by network, browser and system. A network is its first and its last address; a single address is in ip_address.
-- No index on sessions: each would cost every opening.
ALTER TABLE bulk_endings ADD COLUMN ip_first text;
ALTER TABLE bulk_endings ADD COLUMN ip_last text;
ALTER TABLE bulk_endings ADD COLUMN browser text;
ALTER TABLE bulk_endings ADD COLUMN os text;

SELECT set_config('search_path', relnamespace::regnamespace || ', pg_temp', TRUE)
FROM pg_class WHERE oid = 'sessions'::regclass;

-- The first bulk ending that means the session and is not carried out yet; null when there is none.
CREATE FUNCTION bulk_ending_of(
    id uuid, user_id text, created_at timestamptz, client_id text, device_type text, ip_address text, opened_by text,
    browser text, os text, OUT at timestamptz, OUT reason text
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
        AND (ending.ip_first IS NULL
             OR bulk_ending_of.ip_address::inet BETWEEN ending.ip_first::inet AND ending.ip_last::inet)
        AND (ending.opened_by IS NULL OR ending.opened_by = bulk_ending_of.opened_by)
        AND (ending.browser IS NULL OR ending.browser = bulk_ending_of.browser)
        AND (ending.os IS NULL OR ending.os = bulk_ending_of.os)
        AND (ending.except_id IS NULL OR ending.except_id <> bulk_ending_of.id)
    ORDER BY ending.sequence LIMIT 1;
END
$$;

-- For replicas of the previous version, which go on until they are replaced.
CREATE OR REPLACE FUNCTION bulk_ending_of(
    id uuid, user_id text, created_at timestamptz, client_id text, device_type text, ip_address text, opened_by text,
    OUT at timestamptz, OUT reason text
) LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path FROM CURRENT AS $$
BEGIN
    SELECT ending.at, ending.reason INTO bulk_ending_of.at, bulk_ending_of.reason
    FROM sessions AS session CROSS JOIN LATERAL bulk_ending_of(
        session.id, session.user_id, session.created_at, session.client_id, session.device_type, session.ip_address,
        session.opened_by, session.browser, session.os
    ) AS ending
    WHERE session.id = bulk_ending_of.id;
END
$$;

-- Such a replica would carry out more than is meant, so it is refused, as it is for opened_by.
CREATE OR REPLACE FUNCTION bulk_endings_refuse_ignorance() RETURNS trigger LANGUAGE plpgsql
    SET search_path FROM CURRENT AS $$
BEGIN
    IF OLD.opened_by IS NOT NULL AND current_setting('sojourn.knows_openers', TRUE) IS DISTINCT FROM 'on'
        OR coalesce(OLD.ip_first, OLD.browser, OLD.os) IS NOT NULL
            AND current_setting('sojourn.knows_networks', TRUE) IS DISTINCT FROM 'on' THEN
        RAISE EXCEPTION 'bulk ending % needs a newer version', OLD.sequence USING ERRCODE = 'feature_not_supported';
    END IF;
    RETURN NEW;
END
$$;

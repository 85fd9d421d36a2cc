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

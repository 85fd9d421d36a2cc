-- 50 active sessions from anywhere in the order of opening.
\set i random(:sessions / 20, :sessions - 1)
\set ms :now - 2592000000 + :i * 2592000000 / :sessions
SELECT id, user_id, created_at, last_seen_at, expires_at, absolute_expires_at, idle_timeout, ended_at, end_reason,
    refresh_counter, confirmed_counter, client_id, ip_address, location, user_agent, device_type, device_name, device_model, os,
    os_version, browser, browser_version, scope, acr, amr, metadata, opened_by, authenticated_at, least_counter, claims, place,
    last_ip_address, last_place
FROM sessions
WHERE ended_at IS NULL AND expires_at > now() AND last_seen_at + idle_timeout * interval '1 second' > now()
    AND (created_at, id) < ('epoch'::timestamptz + :ms::bigint * interval '1 millisecond',
        (lpad(to_hex(:ms::bigint), 12, '0') || '70008' || lpad(to_hex(:i::bigint), 15, '0'))::uuid)
ORDER BY created_at DESC, id DESC LIMIT 50;

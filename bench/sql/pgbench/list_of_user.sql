\set u random(1, :sessions / 10 - 1)
SELECT id, user_id, created_at, last_seen_at, expires_at, absolute_expires_at, idle_timeout, ended_at, end_reason,
    refresh_counter, confirmed_counter, client_id, ip_address, location, user_agent, device_type, device_name, device_model, os,
    os_version, browser, browser_version, scope, acr, amr, metadata, opened_by, authenticated_at, least_counter, claims, place,
    last_ip_address, last_place
FROM sessions
WHERE user_id = 'user-' || :u::bigint AND ended_at IS NULL AND expires_at > now()
    AND last_seen_at + idle_timeout * interval '1 second' > now()
ORDER BY created_at DESC, id DESC LIMIT 1000;

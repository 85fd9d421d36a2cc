-- The same number of sessions as the server is asked for, spread as widely.
\set i random(0, :hot - 1) * (:sessions / :hot)
\set ms :now - 2592000000 + :i * 2592000000 / :sessions
SELECT id, user_id, created_at, last_seen_at, expires_at, absolute_expires_at, idle_timeout, ended_at, end_reason,
    refresh_counter, confirmed_counter, client_id, ip_address, location, user_agent, device_type, device_name, os, browser,
    scope, acr, amr, metadata
FROM sessions WHERE id = (lpad(to_hex(:ms::bigint), 12, '0') || '70008' || lpad(to_hex(:i::bigint), 15, '0'))::uuid;

\set u random(1, :sessions / 10 - 1)
INSERT INTO sessions (id, user_id, created_at, last_seen_at, expires_at, absolute_expires_at, idle_timeout, client_id,
    ip_address, location, user_agent, device_type, os, browser, browser_version, scope, amr, metadata, opened_by, authenticated_at)
VALUES ((lpad(to_hex((extract(epoch FROM now()) * 1000)::bigint), 12, '0') || '7'
        || right(replace(gen_random_uuid()::text, '-', ''), 19))::uuid,
    'user-' || :u::bigint, now(), now(), now() + interval '30 days', now() + interval '30 days', 604800, 'web',
    '203.0.113.7', 'Lisbon, PT', 'Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0', 'desktop',
    'Linux', 'Firefox', '145', 'profile', '["pwd","otp"]', '{}', 'bootstrap', now());

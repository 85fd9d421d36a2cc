-- Checks of Sojourn for Apache's mod_lua: /etc/apache2/sojourn.lua.

local http = require "socket.http"

local SOJOURN = "http://127.0.0.1:8080"
-- Seconds to connect, and for each part of the answer.
local TIMEOUT = 5
-- The headers of the identity.
local IDENTITY = {
    "X-User-Id", "X-Session-Id", "X-Session-Scope", "X-Session-Client", "X-Session-Acr", "X-Session-Amr",
    "X-Session-Auth-Time", "X-User-Name", "X-User-Name-Encoded", "X-User-Email",
}

-- Whether an application may read a header's name as one of the identity.
local function is_identity(name)
    name = name:lower()
    return name:find("^x[^a-z0-9]user[^a-z0-9]") or name:find("^x[^a-z0-9]session[^a-z0-9]")
end

local function ask(r, path)
    local headers = { ["X-Forwarded-For"] = r.useragent_ip }
    headers["Authorization"] = r.headers_in["Authorization"]
    headers["Cookie"] = r.headers_in["Cookie"]
    http.TIMEOUT = TIMEOUT
    return http.request { url = SOJOURN .. path, headers = headers, redirect = false }
end

-- The status of a refusal, or `apache2.OK`.
local function verdict(r, path)
    -- Apache drops the headers that `Connection` names after this check: the application would take the request for
    -- one without them.
    for word in (r.headers_in["Connection"] or ""):gmatch("[^%s,]+") do
        if is_identity(word) then
            return 400
        end
    end
    local done, status, answer = ask(r, path)
    if not done then
        r:err("sojourn: no check: " .. tostring(status))
        return 503
    end
    if status ~= 200 then
        r.err_headers_out["WWW-Authenticate"] = answer["www-authenticate"]
        r.err_headers_out["Retry-After"] = answer["retry-after"]
        return (status == 401 or status == 403 or status == 429) and status or 503
    end
    for name in pairs(r:headers_in_table()) do
        if is_identity(name) then
            r.headers_in[name] = nil
        end
    end
    for _, name in ipairs(IDENTITY) do
        r.headers_in[name] = answer[name:lower()]
    end
    -- Apache appends the client's address to what the client has sent.
    r.headers_in["X-Forwarded-For"] = nil
    return apache2.OK
end

local function check(path)
    return function(r)
        local done, status = pcall(verdict, r, path)
        if not done then
            r:err("sojourn: " .. tostring(status))
            return 503
        end
        return status
    end
end

verify = check("/v1/verify")
reports = check("/v1/require/scope=reports:read;max_age=600")

-- Checks of Sojourn for HAProxy: /etc/haproxy/sojourn.lua.

-- Milliseconds for an answer. HAProxy asks four times before it gives up.
local TIMEOUT = 2000
-- The headers of the identity.
local IDENTITY = {
    "x-user-id", "x-session-id", "x-session-scope", "x-session-client", "x-session-acr", "x-session-amr",
    "x-session-auth-time", "x-user-name", "x-user-name-encoded", "x-user-email",
}

-- Whether an application may read a header's name as one of the identity.
local function is_identity(name)
    name = name:lower()
    return name:find("^x[^a-z0-9]user[^a-z0-9]") or name:find("^x[^a-z0-9]session[^a-z0-9]")
end

-- The values of a header, in the form that a request takes.
local function values(headers, name)
    local values, at = {}, 0
    while headers[name] and headers[name][at] do
        table.insert(values, headers[name][at])
        at = at + 1
    end
    return #values > 0 and values or nil
end

core.register_action("check_session", { "http-req" }, function(txn)
    local request = txn.http:req_get_headers()
    for name in pairs(request) do
        if is_identity(name) then
            txn.http:req_del_header(name)
        end
    end
    local headers = { ["x-forwarded-for"] = { txn.sf:src() } }
    headers["authorization"] = values(request, "authorization")
    headers["cookie"] = values(request, "cookie")
    local answer = core.httpclient():get {
        url = txn:get_var("txn.check"), headers = headers, timeout = TIMEOUT,
    }
    local function header(name)
        return answer.headers and answer.headers[name] and answer.headers[name][0] or ""
    end
    if answer.status == 200 then
        for _, name in ipairs(IDENTITY) do
            txn.http:req_set_header(name, header(name))
        end
    end
    txn:set_var("txn.challenge", header("www-authenticate"))
    txn:set_var("txn.retry_after", header("retry-after"))
    txn:set_var("txn.checked", answer.status)
end)

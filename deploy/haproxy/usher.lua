-- usher.lua: the action `http-request lua.usher ORIGIN` of haproxy.cfg. It asks the gate about the request at hand.
-- ORIGIN is what browsers see (https://app.example.com), or - for what the request itself says.

local gate = "http://usher/gate/haproxy"
local listener = "abns@usher-8080"

-- Every identity header. A name that is missing here reaches the backend as the client wrote it.
local identity = {
	"x-user-id",
	"x-user-email",
	"x-user-email-verified",
	"x-user-name",
	"x-user-role",
	"x-session-id",
	"x-org-id",
	"x-org-slug",
	"x-org-name",
	"x-org-role",
	"x-team-id",
	"x-auth-method",
	"x-impersonated-by",
	"x-internal-caller",
	"x-auth-user-id",
	"x-auth-org-id",
}

-- Headers of the connection, not of the request: the check has a connection of its own, and no body.
local hop = {
	["connection"] = true, ["content-length"] = true, ["expect"] = true, ["host"] = true, ["keep-alive"] = true,
	["proxy-connection"] = true, ["te"] = true, ["trailer"] = true, ["transfer-encoding"] = true, ["upgrade"] = true,
}

-- HAProxy's lists begin at 0.
local function each(values, visit)
	local i = 0
	while values ~= nil and values[i] ~= nil do
		visit(values[i])
		i = i + 1
	end
end

local function unavailable(txn)
	local reply = txn:reply { status = 503 }
	reply:add_header("Retry-After", "1")
	reply:add_header("Cache-Control", "no-store")
	reply:add_header("Content-Type", "application/json")
	reply:set_body('{"message":"The request cannot be checked right now; try again"}')
	txn:done(reply)
end

-- HAProxy 2.6 dies when its HTTP client is given as many headers as tune.http.maxhdr (101) allows, and we add five.
local most = 80

-- What the check says: the client's headers, but for those of its connection. Nil if one cannot be said again, or if they
-- are too many.
local function words(txn)
	local headers, sound, lines = {}, true, 0
	for name, values in pairs(txn.http:req_get_headers()) do
		if not hop[name] then
			headers[name] = {}
			each(values, function(value)
				lines = lines + 1
				table.insert(headers[name], value)
				sound = sound and not value:find("[\0-\8\10-\31\127]") -- HAProxy lets control bytes pass
			end)
		end
	end
	return sound and lines <= most and headers or nil
end

local function ask(txn, origin, headers)
	local scheme, host = origin:match("^(https?)://(.+)$")
	if scheme == nil then
		scheme = txn.f:ssl_fc() == 1 and "https" or "http" -- 0 is true in Lua
		host = txn.sf:req_hdr("host")
	end
	-- Only here: the client's were deleted. What is missing the gate refuses.
	headers["x-forwarded-method"] = { txn.sf:method() }
	headers["x-forwarded-proto"] = { scheme }
	headers["x-forwarded-host"] = { host }
	headers["x-forwarded-uri"] = { txn.sf:pathq() }
	headers["x-forwarded-for"] = { txn:get_var("txn.usher_for") }
	return core.httpclient():get { url = gate, dst = listener, headers = headers, timeout = 6000 }
end

core.register_action("usher", { "http-req" }, function(txn, origin)
	local headers = words(txn)
	if headers == nil then
		return txn:done(txn:reply { status = 400 })
	end
	local answer = ask(txn, origin, headers)
	local status = answer ~= nil and answer.status or 0
	local reason = status ~= 0 and answer.headers["x-usher-reason"] or nil
	txn:set_var("txn.usher_reason", reason and reason[0] or "-")
	if status == 200 then
		for _, name in ipairs(identity) do
			txn.http:req_del_header(name)
			each(answer.headers[name], function(value) txn.http:req_add_header(name, value) end)
		end
		txn:set_var("txn.usher_passed", true) -- the last word: haproxy.cfg lets nothing pass without it
		return
	end
	-- The gate's own answers have a reason; anything else (502 and 504 of the listener, too) is no answer of the gate.
	if status < 300 or reason == nil then
		return unavailable(txn)
	end
	local reply = txn:reply { status = status }
	for name, values in pairs(answer.headers) do
		if not hop[name] then
			each(values, function(value) reply:add_header(name, value) end)
		end
	end
	reply:set_body(answer.body or "")
	txn:done(reply)
end, 1)

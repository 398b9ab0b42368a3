-- Names the messages of IoT-Crypto in Wireshark and tshark, 4.0 or later; README.md
-- beside this file says how to install it. Section numbers are those of SPEC.md.
--
-- There are four protocols: the advertisement, which is found on any UDP port by what
-- it looks like; and what is inside DTLS, which captures of `iot-crypto --capture` have
-- as exported PDUs: the key negotiation, the transmission protocol, and alerts.

-- Registries ---------------------------------------------------------------------------

local KINDS = { -- 10.2
  [1] = "Data request", [2] = "Data response", [3] = "Command", [4] = "Command status",
  [5] = "Alert", [6] = "Error", [7] = "Acknowledgement", [8] = "Awake",
  [9] = "Network key", [10] = "Revocation", [11] = "Presence", [12] = "Report",
  [13] = "Renegotiation",
}
local LABELS = { -- 10.3: name, usual unit
  { "temperature", "Cel" }, { "humidity", "%RH" }, { "pressure", "Pa" },
  { "processor-load", "%" }, { "memory-used", "B" }, { "battery", "%EL" },
  { "bytes-received", "B" }, { "bytes-sent", "B" }, { "uptime", "s" }, { "switch", "" },
  { "illuminance", "lx" }, { "voltage", "V" }, { "current", "A" }, { "power", "W" },
  { "energy", "J" }, { "distance", "m" }, { "mass", "kg" }, { "frequency", "Hz" },
  { "count", "count" }, { "velocity", "m/s" }, { "latitude", "lat" },
  { "longitude", "lon" }, { "motion", "" }, { "interval", "s" },
}
local UNITS = { -- 10.3
  [0] = "", "Cel", "%RH", "Pa", "%", "B", "s", "V", "A", "W", "J", "lx", "m", "kg", "Hz",
  "m/s", "count", "1/s", "%EL", "lat", "lon", "K",
}
local STATES = { "done", "failed", "refused", "unknown", "expired", "uncertain" } -- 10.4
local SEVERITIES = { "information", "warning", "critical" } -- 10.4
local PRESENCE = { "connected", "disconnected", "refused" } -- 10.4
local ERRORS = { -- 10.4
  "malformed", "unknown kind", "unknown label", "too large", "not permitted",
  "unknown subject", "busy", "expired", "already done", "unreachable", "internal error",
}
local NEGOTIATION = { -- 9.2, 9.6
  [0] = "Segment", "Request (M1)", "Response (M2)", "Refusal",
}
local REFUSALS = { -- 6.3, 9.5
  "not yet valid", "expired", "self-signature", "no trusted endorsement", "issuer revoked",
  "revoked", "endorsement not yet valid", "endorsement expired", "role not granted",
  [32] = "malformed", [33] = "unknown version", [34] = "time not known", [35] = "no room",
  [36] = "wrong role",
}
local ROLES = { { 1, "device" }, { 2, "gateway" }, { 4, "cloud" } } -- 4.1
local RIGHTS = { { 1, "data" }, { 2, "command" }, { 4, "alert" }, { 8, "revoke" }, { 16, "keys" } }
local LEVELS = { "warning", "fatal" } -- RFC 5246 section 7.2
local ALERTS = { -- RFC 5246 section 7.2, and the registry of TLS alerts
  [0] = "close_notify", [10] = "unexpected_message", [20] = "bad_record_mac",
  [22] = "record_overflow", [40] = "handshake_failure", [47] = "illegal_parameter",
  [49] = "access_denied", [50] = "decode_error", [51] = "decrypt_error",
  [70] = "protocol_version", [71] = "insufficient_security", [80] = "internal_error",
  [90] = "user_canceled", [100] = "no_renegotiation", [110] = "unsupported_extension",
  [115] = "unknown_psk_identity",
}

-- CBOR (RFC 8949), as much as section 2.1 allows -------------------------------------------

local MAX_DEPTH = 8
local UINT, NEGATIVE, BYTES, TEXT, ARRAY = "uint", "negative", "bytes", "text", "array"
local FLOAT, BOOL, NULL = "float", "bool", "null"

local function malformed(what)
  error({ malformed = what }, 0)
end

local function bytes(tvb, at, count)
  if at + count > tvb:len() then malformed("it is cut off") end
  return tvb(at, count)
end

-- The argument of a head: a number, or a UInt64 if it has eight bytes; and where it ends.
local function argument(tvb, at, info)
  if info < 24 then return info, at end
  if info == 24 then return bytes(tvb, at, 1):uint(), at + 1 end
  if info == 25 then return bytes(tvb, at, 2):uint(), at + 2 end
  if info == 26 then return bytes(tvb, at, 4):uint(), at + 4 end
  if info == 27 then return bytes(tvb, at, 8):uint64(), at + 8 end
  malformed("an item has no definite length")
end

local function half(bits) -- RFC 8949 appendix D
  local sign = bits >= 0x8000 and -1 or 1
  local exponent = math.floor(bits / 0x400) % 0x20
  local mantissa = bits % 0x400
  if exponent == 0 then return sign * mantissa * 2 ^ -24 end
  if exponent < 31 then return sign * (mantissa + 1024) * 2 ^ (exponent - 25) end
  return mantissa == 0 and sign * math.huge or 0 / 0
end

local function simple(tvb, at, info)
  if info == 20 or info == 21 then return { type = BOOL, value = info == 21 }, at end
  if info == 22 then return { type = NULL, value = "null" }, at end
  if info == 25 then return { type = FLOAT, value = half(bytes(tvb, at, 2):uint()) }, at + 2 end
  if info == 26 then return { type = FLOAT, value = bytes(tvb, at, 4):float() }, at + 4 end
  if info == 27 then return { type = FLOAT, value = bytes(tvb, at, 8):float() }, at + 8 end
  malformed("a simple value that is not used")
end

-- The item at `at`; also where it ends. An item has its type, its value, and where it is.
local function item(tvb, at, depth)
  if depth > MAX_DEPTH then malformed("items are too deep in each other") end
  local first = bytes(tvb, at, 1):uint()
  local major, info = math.floor(first / 32), first % 32
  local result, stop
  if major == 7 then
    result, stop = simple(tvb, at + 1, info)
  else
    local value
    value, stop = argument(tvb, at + 1, info)
    if major == 0 then
      result = { type = UINT, value = value }
    elseif major == 1 then
      -- -1 - n; of eight bytes, n fits into a signed number (10.3).
      local number = type(value) == "number" and -1 - value or Int64(-1) - Int64(tostring(value))
      result = { type = NEGATIVE, value = number }
    elseif type(value) ~= "number" then
      malformed("an item is too long")
    elseif major == 2 or major == 3 then
      -- An empty range can't be read; its head stands for it.
      local range = value > 0 and bytes(tvb, stop, value) or nil
      stop = stop + value
      if major == 2 then
        result = { type = BYTES, value = range and range:bytes():tohex(true) or "" }
      else
        result = { type = TEXT, value = range and range:string(ENC_UTF_8) or "" }
      end
      result.content = range
    elseif major == 4 then
      result = { type = ARRAY, value = {} }
      for index = 1, value do
        result.value[index], stop = item(tvb, stop, depth + 1)
      end
    else
      malformed("maps and tags are not used")
    end
  end
  result.range = tvb(at, stop - at)
  return result, stop
end

-- The only item of `tvb`: an array.
local function message(tvb)
  local whole, stop = item(tvb, 0, 0)
  if whole.type ~= ARRAY then malformed("it is no array") end
  if stop < tvb:len() then malformed("something follows it") end
  return whole
end

-- The element `index`, which has to be of the type.
local function element(array, index, expected)
  local found = array.value[index]
  if found == nil then malformed("element " .. index .. " is missing") end
  if found.type ~= expected then malformed("element " .. index .. " is no " .. expected) end
  return found
end

-- Dissection ---------------------------------------------------------------------------

local function new_protocol(name, description, fields)
  local protocol = Proto(name, description)
  protocol.fields = {}
  local by_name = {}
  for key, field in pairs(fields) do
    by_name[key] = field
    table.insert(protocol.fields, field)
  end
  local expert =
    ProtoExpert.new(name .. ".malformed", "Malformed", expert.group.MALFORMED, expert.severity.ERROR)
  protocol.experts = { expert }
  return protocol, by_name, expert
end

-- Has `dissect` add to a tree for `protocol` and say what goes into the Info column.
local function show(protocol, expert, tvb, pinfo, tree, dissect)
  pinfo.cols.protocol = "IoT-Crypto"
  local branch = tree:add(protocol, tvb())
  local good, result = pcall(dissect, branch)
  if not good then
    local what = type(result) == "table" and result.malformed or tostring(result)
    branch:add_proto_expert_info(expert, "Malformed: " .. what)
    result = "[Malformed: " .. what .. "]"
  end
  branch:append_text(": " .. result)
  pinfo.cols.info:set(result)
  return tvb:len()
end

local function plural(count, one)
  return count .. " " .. one .. (count == 1 and "" or "s")
end

local function flags(number, names)
  local all = {}
  for _, name in ipairs(names) do
    if math.floor(number / name[1]) % 2 == 1 then table.insert(all, name[2]) end
  end
  return #all > 0 and table.concat(all, ", ") or "none"
end

local function named(registry, number)
  return registry[number] or ("number " .. tostring(number))
end

local function add_time(tree, field, time)
  local number = tonumber(tostring(time.value))
  if number == nil or number == 0 or number > 0x7fffffff then
    return tree:add(field, time.range, NSTime(0, 0)):append_text(" [not known]")
  end
  return tree:add(field, time.range, NSTime(number, 0))
end

local function short(id)
  return id.value:sub(1, 8)
end

-- Transmission protocol (section 10) ------------------------------------------------------

local NAME = "iotcrypto.transmission"
local transmission, T, transmission_malformed =
  new_protocol(NAME, "IoT-Crypto Transmission Protocol", {
    kind = ProtoField.uint8(NAME .. ".kind", "Kind", base.DEC, KINDS),
    request = ProtoField.uint32(NAME .. ".request", "Request id"),
    label = ProtoField.string(NAME .. ".label", "Label"),
    value = ProtoField.string(NAME .. ".value", "Value"),
    unit = ProtoField.string(NAME .. ".unit", "Unit"),
    time = ProtoField.absolute_time(NAME .. ".time", "Time", base.UTC),
    reading = ProtoField.string(NAME .. ".reading", "Reading"),
    nothing_waiting = ProtoField.bool(NAME .. ".nothing_waiting", "Nothing waiting"),
    lifetime = ProtoField.uint32(NAME .. ".lifetime", "Lifetime (seconds)"),
    state = ProtoField.uint8(NAME .. ".state", "State", base.DEC, STATES),
    result = ProtoField.string(NAME .. ".result", "Result"),
    severity = ProtoField.uint8(NAME .. ".severity", "Severity", base.DEC, SEVERITIES),
    text = ProtoField.string(NAME .. ".text", "Text"),
    code = ProtoField.uint8(NAME .. ".code", "Error code", base.DEC, ERRORS),
    presence = ProtoField.uint8(NAME .. ".presence", "Presence", base.DEC, PRESENCE),
    reason = ProtoField.uint8(NAME .. ".reason", "Reason", base.DEC, REFUSALS),
    name = ProtoField.string(NAME .. ".name", "Name"),
    network_key = ProtoField.bytes(NAME .. ".network_key", "Network key"),
    revocation = ProtoField.bytes(NAME .. ".revocation", "Revocation"),
    revoked = ProtoField.bytes(NAME .. ".revoked", "Revoked party"),
    issuer = ProtoField.bytes(NAME .. ".issuer", "Issuer"),
    subject = ProtoField.bytes(NAME .. ".subject", "Subject"),
  })

local function value_text(value)
  if value.type == TEXT then return '"' .. value.value .. '"' end
  if value.type == BYTES then return "0x" .. value.value end
  if value.type == ARRAY or value.type == NULL then malformed("a value is no value") end
  if value.type == FLOAT then return string.format("%.10g", value.value) end
  return tostring(value.value)
end

local function add_value(tree, field, value)
  local text = value_text(value)
  tree:add(field, value.range, text)
  return text
end

-- Adds a label; gives its name and usual unit.
local function add_label(tree, label)
  local name, unit
  if label.type == UINT then
    local known = LABELS[label.value] or { "#" .. tostring(label.value), "" }
    name, unit = known[1], known[2]
  elseif label.type == TEXT then
    name, unit = label.value, ""
  else
    malformed("a label is neither a number nor a text")
  end
  tree:add(T.label, label.range, name)
  return name, unit
end

local function add_reading(tree, reading)
  if reading.type ~= ARRAY then malformed("a reading is no array") end
  local count = #reading.value
  if count < 2 or count > 4 then malformed("a reading has 2 to 4 elements") end
  local branch = tree:add(T.reading, reading.range, "")
  local name, unit = add_label(branch, reading.value[1])
  local value = add_value(branch, T.value, reading.value[2])
  local own = reading.value[3]
  if own ~= nil and own.type == UINT then
    unit = UNITS[own.value] or ("unit " .. tostring(own.value))
    branch:add(T.unit, own.range, unit)
  elseif unit ~= "" then
    branch:add(T.unit, reading.value[1].range, unit):set_generated()
  end
  if count == 4 then add_time(branch, T.time, element(reading, 4, UINT)) end
  local text = name .. " " .. value .. (unit ~= "" and " " .. unit or "")
  branch:set_text("Reading: " .. text)
  return text
end

local function add_all(tree, array, add)
  local texts = {}
  for index, each in ipairs(array.value) do texts[index] = (add(tree, each)) end
  return "[" .. table.concat(texts, ", ") .. "]"
end

-- Adds the element `index` if it is there and not null.
local function optional(array, index, add)
  local found = array.value[index]
  if found == nil or found.type == NULL then return nil end
  return add(found)
end

-- For each kind: how many elements it has at the least and at the most, without a subject;
-- and what adds its fields (10.2), counted from the third element, and says what is in them.
local FIELDS = {
  [1] = { 4, 4, function(tree, m)
    local labels = add_all(tree, element(m, 3, ARRAY), add_label)
    tree:add(T.nothing_waiting, m.value[4].range, element(m, 4, BOOL).value)
    return " " .. (labels == "[]" and "[all]" or labels)
  end },
  [2] = { 3, 3, function(tree, m)
    return " " .. add_all(tree, element(m, 3, ARRAY), add_reading)
  end },
  [3] = { 5, 6, function(tree, m)
    local label = add_label(tree, m.value[3])
    local value = add_value(tree, T.value, m.value[4])
    tree:add(T.nothing_waiting, m.value[5].range, element(m, 5, BOOL).value)
    local lifetime = optional(m, 6, function(lifetime)
      tree:add(T.lifetime, lifetime.range, element(m, 6, UINT).value)
      return " within " .. tostring(lifetime.value) .. " s"
    end)
    return " " .. label .. " := " .. value .. (lifetime or "")
  end },
  [4] = { 3, 4, function(tree, m)
    local state = element(m, 3, UINT)
    tree:add(T.state, state.range, state.value)
    local result = optional(m, 4, function(result)
      return ", now " .. add_value(tree, T.result, result)
    end)
    return ": " .. named(STATES, state.value) .. (result or "")
  end },
  [5] = { 5, 5, function(tree, m)
    local severity, text = element(m, 3, UINT), element(m, 5, TEXT)
    tree:add(T.severity, severity.range, severity.value)
    local reading = add_reading(tree, m.value[4])
    tree:add(T.text, text.range, text.value)
    local remark = text.value ~= "" and " (" .. text.value .. ")" or ""
    return ": " .. named(SEVERITIES, severity.value) .. ", " .. reading .. remark
  end },
  [6] = { 4, 4, function(tree, m)
    local code, text = element(m, 3, UINT), element(m, 4, TEXT)
    tree:add(T.code, code.range, code.value)
    tree:add(T.text, text.range, text.value)
    local remark = text.value ~= "" and " (" .. text.value .. ")" or ""
    return ": " .. named(ERRORS, code.value) .. remark
  end },
  [7] = { 3, 3, function(tree, m)
    tree:add(T.nothing_waiting, m.value[3].range, element(m, 3, BOOL).value)
    return m.value[3].value and ", nothing waiting" or ""
  end },
  [8] = { 2, 2, function() return "" end },
  [9] = { 3, 3, function(tree, m)
    tree:add(T.network_key, element(m, 3, BYTES).range)
    return ""
  end },
  [10] = { 3, 3, function(tree, m)
    local revocation = element(m, 3, BYTES)
    local branch = tree:add(T.revocation, revocation.range)
    -- The message is good whatever it holds; the receiver looks into that.
    local good, text = pcall(function()
      local inner = message(revocation.content:tvb()) -- section 5
      local issuer, revoked = element(inner, 2, BYTES), element(inner, 3, BYTES)
      branch:add(T.issuer, issuer.content)
      branch:add(T.revoked, revoked.content)
      return " of party " .. short(revoked) .. " by " .. short(issuer)
    end)
    return good and text or " that can't be read"
  end },
  [11] = { 4, 4, function(tree, m)
    local state, name = m.value[3], element(m, 4, TEXT)
    local text
    if state.type == ARRAY then
      local reason = element(state, 2, UINT)
      tree:add(T.presence, state.range, element(state, 1, UINT).value)
      tree:add(T.reason, reason.range, reason.value)
      text = "refused, " .. named(REFUSALS, reason.value)
    else
      tree:add(T.presence, state.range, element(m, 3, UINT).value)
      text = named(PRESENCE, state.value)
    end
    tree:add(T.name, name.range, name.value)
    return ": " .. name.value .. " " .. text
  end },
  [12] = { 3, 3, function(tree, m)
    return " " .. add_all(tree, element(m, 3, ARRAY), add_reading)
  end },
  [13] = { 2, 2, function() return "" end },
}

function transmission.dissector(tvb, pinfo, tree)
  return show(transmission, transmission_malformed, tvb, pinfo, tree, function(branch)
    local whole = message(tvb)
    local kind, request = element(whole, 1, UINT), element(whole, 2, UINT)
    branch:add(T.kind, kind.range, kind.value)
    branch:add(T.request, request.range, request.value)
    local fields = FIELDS[kind.value]
    if fields == nil then return "Kind " .. tostring(kind.value) .. ", which is not known" end
    local name = KINDS[kind.value]
    local least, most, add = fields[1], fields[2], fields[3]
    local count = #whole.value
    -- Whatever follows the fields is the subject, and then none of them is left out (10.1).
    local subject = count == most + 1 and element(whole, count, BYTES) or nil
    if count < least or count > most + 1 then
      malformed(name .. " has " .. plural(count, "element"))
    end
    local text = add(branch, whole)
    if subject ~= nil then
      branch:add(T.subject, subject.content)
      text = text .. ", of device " .. short(subject)
    end
    return name .. text .. "  (request " .. tostring(request.value) .. ")"
  end)
end

-- Identity (sections 3 and 4), as parts of a negotiation ----------------------------------

local NAME = "iotcrypto.negotiation"
local negotiation, N, negotiation_malformed =
  new_protocol(NAME, "IoT-Crypto Key Negotiation", {
    kind = ProtoField.uint8(NAME .. ".kind", "Kind", base.DEC, NEGOTIATION),
    version = ProtoField.uint32(NAME .. ".version", "Version"),
    role = ProtoField.string(NAME .. ".role", "Role"),
    sleepy = ProtoField.bool(NAME .. ".sleepy", "Sleeps most of the time"),
    incarnation = ProtoField.uint32(NAME .. ".incarnation", "Incarnation", base.HEX),
    freshness = ProtoField.bytes(NAME .. ".freshness", "Ephemeral key or nonce"),
    time = ProtoField.absolute_time(NAME .. ".time", "Time", base.UTC),
    port = ProtoField.uint16(NAME .. ".transmission_port", "Transmission port"),
    key = ProtoField.bytes(NAME .. ".ephemeral_key", "Ephemeral key"),
    signature = ProtoField.bytes(NAME .. ".signature", "Signature"),
    code = ProtoField.uint8(NAME .. ".code", "Reason", base.DEC, REFUSALS),
    refers_to = ProtoField.bytes(NAME .. ".refers_to", "Refers to"),
    total = ProtoField.uint16(NAME .. ".total", "Length of the message"),
    offset = ProtoField.uint16(NAME .. ".offset", "Offset"),
    part = ProtoField.bytes(NAME .. ".part", "Part"),
    certificate = ProtoField.bytes(NAME .. ".certificate", "Certificate"),
    name = ProtoField.string(NAME .. ".name", "Name"),
    created = ProtoField.absolute_time(NAME .. ".created", "Created", base.UTC),
    expires = ProtoField.absolute_time(NAME .. ".expires", "Expires", base.UTC),
    exchange_key = ProtoField.bytes(NAME .. ".exchange_key", "Exchange key"),
    signing_key = ProtoField.bytes(NAME .. ".signing_key", "Signing key"),
    endorsement = ProtoField.bytes(NAME .. ".endorsement", "Endorsement"),
    issuer = ProtoField.bytes(NAME .. ".issuer", "Issuer"),
    roles = ProtoField.string(NAME .. ".roles", "Roles"),
    rights = ProtoField.string(NAME .. ".rights", "Rights"),
  })

local function add_dates(tree, array, first)
  add_time(tree, N.created, element(array, first, UINT))
  add_time(tree, N.expires, element(array, first + 1, UINT))
end

-- Adds a certificate and its endorsements; gives the name.
local function add_credential(tree, credential)
  local certificate, endorsements = element(credential, 1, ARRAY), element(credential, 2, ARRAY)
  local branch = tree:add(N.certificate, certificate.range)
  local name = element(certificate, 2, TEXT)
  branch:set_text("Certificate of " .. name.value)
  branch:add(N.name, name.range, name.value)
  add_dates(branch, certificate, 3)
  branch:add(N.exchange_key, element(certificate, 5, BYTES).content)
  branch:add(N.signing_key, element(certificate, 6, BYTES).content)
  branch:add(N.signature, element(certificate, 7, BYTES).content)
  for _, endorsement in ipairs(endorsements.value) do
    local branch = tree:add(N.endorsement, endorsement.range)
    if endorsement.type ~= ARRAY then malformed("an endorsement is no array") end
    local issuer = element(endorsement, 2, BYTES)
    local roles = flags(element(endorsement, 5, UINT).value, ROLES)
    local rights = flags(element(endorsement, 6, UINT).value, RIGHTS)
    branch:set_text("Endorsement by " .. short(issuer) .. ": " .. roles .. " with " .. rights)
    branch:add(N.issuer, issuer.content)
    add_dates(branch, endorsement, 3)
    branch:add(N.roles, endorsement.value[5].range, roles)
    branch:add(N.rights, endorsement.value[6].range, rights)
    branch:add(N.signature, element(endorsement, 7, BYTES).content)
  end
  return name.value .. " with " .. plural(#endorsements.value, "endorsement")
end

-- Key negotiation (section 9) -------------------------------------------------------------

-- Messages that came in segments: what has come of each between two addresses, and what
-- was whole with which packet.
local partial, whole_at = {}, {}

function negotiation.init()
  partial, whole_at = {}, {}
end

-- Takes a segment; gives the whole message when this was the last part. Of a byte that
-- comes twice, the first counts.
local function reassemble(pinfo, total, offset, part)
  if pinfo.visited then return whole_at[pinfo.number] end
  local way = table.concat(
    { tostring(pinfo.src), pinfo.src_port, tostring(pinfo.dst), pinfo.dst_port }, " ")
  local so_far = partial[way]
  if so_far == nil or so_far.total ~= total then
    so_far = { total = total, count = 0, bytes = {} }
    partial[way] = so_far
  end
  for index = 0, part:len() - 1 do
    local at = offset + index + 1
    if so_far.bytes[at] == nil then
      so_far.bytes[at] = string.format("%02x", part(index, 1):uint())
      so_far.count = so_far.count + 1
    end
  end
  if so_far.count < total then return nil end
  partial[way] = nil
  whole_at[pinfo.number] = ByteArray.new(table.concat(so_far.bytes))
  return whole_at[pinfo.number]
end

local add_negotiation

local NEGOTIATION_FIELDS = {
  [0] = { 4, function(tree, m, pinfo)
    local total, offset, part =
      element(m, 2, UINT), element(m, 3, UINT), element(m, 4, BYTES)
    tree:add(N.total, total.range, total.value)
    tree:add(N.offset, offset.range, offset.value)
    if part.content == nil then malformed("an empty segment") end
    tree:add(N.part, part.content)
    local last = offset.value + part.content:len()
    if last > total.value then malformed("a segment reaches past its message") end
    local text = string.format(": bytes %d to %d of %d", offset.value, last - 1, total.value)
    local all = reassemble(pinfo, total.value, offset.value, part.content)
    if all == nil then return text end
    return text .. ", the last one of: " .. add_negotiation(tree, all:tvb("Message"), pinfo)
  end },
  [1] = { 7, function(tree, m)
    local role, incarnation = element(m, 3, UINT), element(m, 5, UINT)
    tree:add(N.version, m.value[2].range, element(m, 2, UINT).value)
    tree:add(N.role, role.range, flags(role.value, ROLES))
    tree:add(N.sleepy, m.value[4].range, element(m, 4, BOOL).value)
    tree:add(N.incarnation, incarnation.range, incarnation.value)
    tree:add(N.freshness, element(m, 6, BYTES).content)
    local who = add_credential(tree, element(m, 7, ARRAY))
    local sleepy = m.value[4].value and ", sleepy" or ""
    return ": " .. flags(role.value, ROLES) .. " " .. who .. sleepy
  end },
  [2] = { 8, function(tree, m)
    local incarnation, port = element(m, 3, UINT), element(m, 5, UINT)
    tree:add(N.version, m.value[2].range, element(m, 2, UINT).value)
    tree:add(N.incarnation, incarnation.range, incarnation.value)
    add_time(tree, N.time, element(m, 4, UINT))
    tree:add(N.port, port.range, port.value)
    tree:add(N.key, element(m, 6, BYTES).content)
    local who = add_credential(tree, element(m, 7, ARRAY))
    tree:add(N.signature, element(m, 8, BYTES).content)
    return ": " .. who .. ", transmission on port " .. tostring(port.value)
  end },
  [3] = { 4, function(tree, m)
    local code = element(m, 3, UINT)
    tree:add(N.version, m.value[2].range, element(m, 2, UINT).value)
    tree:add(N.code, code.range, code.value)
    tree:add(N.refers_to, element(m, 4, BYTES).content)
    return ": " .. named(REFUSALS, code.value)
  end },
}

function add_negotiation(tree, tvb, pinfo)
  local whole = message(tvb)
  local kind = element(whole, 1, UINT)
  tree:add(N.kind, kind.range, kind.value)
  local fields = NEGOTIATION_FIELDS[kind.value]
  if fields == nil then return "Kind " .. tostring(kind.value) .. ", which is not known" end
  local name = NEGOTIATION[kind.value]
  if #whole.value ~= fields[1] then
    malformed(name .. " has " .. plural(#whole.value, "element"))
  end
  return name .. fields[2](tree, whole, pinfo)
end

function negotiation.dissector(tvb, pinfo, tree)
  return show(negotiation, negotiation_malformed, tvb, pinfo, tree, function(branch)
    return add_negotiation(branch, tvb, pinfo)
  end)
end

-- Advertisement (section 8) ---------------------------------------------------------------

local NAME = "iotcrypto.advertisement"
local advertisement, A, advertisement_malformed =
  new_protocol(NAME, "IoT-Crypto Advertisement", {
    version = ProtoField.uint32(NAME .. ".version", "Version"),
    network_key = ProtoField.bytes(NAME .. ".network_key", "Id of the network key"),
    gateway = ProtoField.bytes(NAME .. ".gateway", "Gateway"),
    negotiation = ProtoField.uint16(NAME .. ".negotiation_port", "Negotiation port"),
    transmission = ProtoField.uint16(NAME .. ".transmission_port", "Transmission port"),
    versions = ProtoField.uint32(NAME .. ".versions", "Versions of the negotiation", base.HEX),
    time = ProtoField.absolute_time(NAME .. ".time", "Time", base.UTC),
    sequence = ProtoField.uint32(NAME .. ".sequence", "Sequence number"),
    incarnation = ProtoField.uint32(NAME .. ".incarnation", "Incarnation", base.HEX),
    mac = ProtoField.bytes(NAME .. ".mac", "Authentication code"),
  })

function advertisement.dissector(tvb, pinfo, tree)
  return show(advertisement, advertisement_malformed, tvb, pinfo, tree, function(branch)
    local whole = message(tvb)
    local key, gateway = element(whole, 2, BYTES), element(whole, 3, BYTES)
    branch:add(A.version, whole.value[1].range, element(whole, 1, UINT).value)
    branch:add(A.network_key, key.content)
    branch:add(A.gateway, gateway.content)
    local numbers = { [4] = A.negotiation, [5] = A.transmission, [6] = A.versions,
      [8] = A.sequence, [9] = A.incarnation }
    for index, field in pairs(numbers) do
      local number = element(whole, index, UINT)
      branch:add(field, number.range, number.value)
    end
    add_time(branch, A.time, element(whole, 7, UINT))
    branch:add(A.mac, element(whole, 10, BYTES).content)
    return string.format("Advertisement of gateway %s under network key %s, negotiation on port %s",
      short(gateway), key.value, tostring(whole.value[4].value))
  end)
end

-- An advertisement of version 1 begins with the heads of its array and first items, which
-- no other known protocol does: it is found on every port.
advertisement:register_heuristic("udp", function(tvb, pinfo, tree)
  if tvb:len() < 40 or tvb:len() > 71 then return false end
  if tvb(0, 3):uint() ~= 0x8a0144 or tvb(7, 1):uint() ~= 0x50 then return false end
  advertisement.dissector(tvb, pinfo, tree)
  return true
end)

-- Alerts (section 11.6) ---------------------------------------------------------------------

local NAME = "iotcrypto.alert"
local alert, L, alert_malformed = new_protocol(NAME, "IoT-Crypto DTLS Alert", {
  level = ProtoField.uint8(NAME .. ".level", "Level", base.DEC, LEVELS),
  description = ProtoField.uint8(NAME .. ".description", "Description", base.DEC, ALERTS),
})

function alert.dissector(tvb, pinfo, tree)
  return show(alert, alert_malformed, tvb, pinfo, tree, function(branch)
    if tvb:len() ~= 2 then malformed("an alert has two bytes") end
    branch:add(L.level, tvb(0, 1))
    branch:add(L.description, tvb(1, 1))
    local level, description = tvb(0, 1):uint(), tvb(1, 1):uint()
    return "DTLS alert: " .. named(LEVELS, level) .. ", " .. named(ALERTS, description)
  end)
end

-- Ports (section 12) ------------------------------------------------------------------------

advertisement.prefs.ports =
  Pref.range("UDP ports of advertisements", "4440", "Where devices wait for them", 65535)
advertisement.prefs.dtls_ports =
  Pref.range("UDP ports of DTLS", "4441-4442,4451-4452", "Where services run", 65535)

local udp = DissectorTable.get("udp.port")
local registered = {}

local function register()
  local wanted = {
    { advertisement.prefs.ports, advertisement },
    { advertisement.prefs.dtls_ports, Dissector.get("dtls") },
  }
  for _, each in ipairs(registered) do udp:remove(each[1], each[2]) end
  for _, each in ipairs(wanted) do udp:add(each[1], each[2]) end
  registered = wanted
end

register()
advertisement.prefs_changed = register

#!lua name=lienthong_outbox_1

-- Appends decisions to an outbox cell; for event look-ups the source partition's position moves in the same step.
-- KEYS  1 stream of the cell, 2 state hash of the cell
-- ARGV  1 epoch to draw where one is needed, 2 highest sequence the caller knows, 3 cap of the cell in entries,
--       4 expected source position or '', 5 next source position or '',
--       6 ids of what each entry answers (16 bytes each, UUIDv7) or '', 7 for how many seconds an id is remembered,
--       8 how many fields each entry has, then the fields and values of every entry in a row
-- An entry whose id was seen before is left out: the same question came twice.
-- Reply {'ok', epoch, first sequence, last sequence} | {'position', stored} | {'full', length}
local ID_BYTES, FIRST_FIELD = 16, 9

-- Ids are kept in sets by the highest bytes of their time (some four and a half hours each), which expire as a whole.
local function is_new(stream, id, seconds)
  local since = string.gsub(string.sub(id, 1, 3), '.', function(c) return string.format('%02x', string.byte(c)) end)
  local seen = string.sub(stream, 1, -7) .. 'seen:' .. since
  if redis.call('SADD', seen, id) == 0 then return false end
  redis.call('EXPIRE', seen, seconds)
  return true
end

local function append(keys, args)
  local stream, state, ids = keys[1], keys[2], args[6]
  local floor, cap = tonumber(args[2]), tonumber(args[3])
  if args[4] ~= '' then
    local stored = redis.call('HGET', state, 'position') or '0'
    if tonumber(stored) ~= tonumber(args[4]) then return {'position', stored} end
  end
  local width = tonumber(args[8])
  local count = (#args - FIRST_FIELD + 1) / width
  local length = redis.call('XLEN', stream)
  if length + count > cap then return {'full', tostring(length)} end
  local last = 0
  if redis.call('EXISTS', stream) == 1 then
    local about = redis.call('XINFO', 'STREAM', stream)
    for i = 1, #about, 2 do
      if about[i] == 'last-generated-id' then last = tonumber(string.match(about[i + 1], '%-(%d+)$')) end
    end
  end
  -- A cell that went back (restored from a copy) would use a sequence again: it gets a new epoch instead.
  local epoch = redis.call('HGET', state, 'epoch')
  if not epoch or last < floor then
    epoch = args[1]
    redis.call('HSET', state, 'epoch', epoch)
  end
  local stored = last
  for entry = 0, count - 1 do
    local id = string.sub(ids, entry * ID_BYTES + 1, (entry + 1) * ID_BYTES)
    if id == '' or is_new(stream, id, args[7]) then
      local fields = {}
      for i = 1, width do fields[i] = args[FIRST_FIELD - 1 + entry * width + i] end
      redis.call('XADD', stream, '0-*', 'epoch', epoch, unpack(fields))
      stored = stored + 1
    end
  end
  if args[5] ~= '' then redis.call('HSET', state, 'position', args[5]) end
  return {'ok', epoch, tostring(last + 1), tostring(stored)}
end

redis.register_function('outbox_append', append)

#!lua name=lienthong_1_outbox

-- The outbox's Function library. All keys of a cell carry one hash tag, '{o.CELL}', and are named here from the key of
-- its stream; a caller declares each that will be touched, so that a slot that is on its way elsewhere answers for all
-- of them or for none.

local ID_BYTES, FIRST_FIELD = 16, 10

-- '{o.http-0}outbox' -> '{o.http-0}'
local function base_of(stream) return string.sub(stream, 1, -7) end

-- Ids are kept in sets by the highest bytes of their time (some four and a half hours each), which expire as a whole.
local function is_new(stream, id, seconds)
  local since = string.gsub(string.sub(id, 1, 3), '.', function(c) return string.format('%02x', string.byte(c)) end)
  local seen = base_of(stream) .. 'seen:' .. since
  if redis.call('SADD', seen, id) == 0 then return false end
  redis.call('EXPIRE', seen, seconds)
  return true
end

-- The sequence of the newest entry that the stream ever had, 0 where it has none or never was.
local function newest(stream)
  if redis.call('EXISTS', stream) == 0 then return 0 end
  local about = redis.call('XINFO', 'STREAM', stream)
  for i = 1, #about, 2 do
    if about[i] == 'last-generated-id' then return tonumber(string.match(about[i + 1], '%-(%d+)$')) end
  end
end

-- KEYS  stream of the cell, and where they are touched: its state, the sets of the ids that were seen
-- ARGV  1 epoch of the caller or '', 2 epoch to use instead where the cell went back, 3 highest sequence the caller
--       used in its epoch, 4 cap of the cell in entries, 5 expected source position or '', 6 next source position or '',
--       7 ids of what each entry answers (16 bytes each, UUIDv7) or '', 8 for how many seconds an id is remembered,
--       9 how many fields each entry has, then the fields and values of every entry in a row
-- An entry whose id was seen before is left out: the same question came twice. Ids beyond the entries are of answers that
-- the log has and this cell may have forgotten.
-- Reply {'ok', epoch, last sequence} | {'position', stored} | {'full', length}
local function append(keys, args)
  local stream, state, ids = keys[1], base_of(keys[1]) .. 'state', args[7]
  if args[5] ~= '' then
    local stored = redis.call('HGET', state, 'position') or '0'
    if tonumber(stored) ~= tonumber(args[5]) then return {'position', stored} end
  end
  local width = tonumber(args[9])
  local count = (#args - FIRST_FIELD + 1) / width
  local length = redis.call('XLEN', stream)
  if length + count > tonumber(args[4]) then return {'full', tostring(length)} end
  local last, epoch = newest(stream), args[1]
  -- A cell that went back (restored from a copy) would use a sequence again: its caller gets a new epoch instead.
  if epoch == '' or last < tonumber(args[3]) then epoch = args[2] end
  for entry = 0, count - 1 do
    local id = string.sub(ids, entry * ID_BYTES + 1, (entry + 1) * ID_BYTES)
    if id == '' or is_new(stream, id, args[8]) then
      local fields = {}
      for i = 1, width do fields[i] = args[FIRST_FIELD - 1 + entry * width + i] end
      redis.call('XADD', stream, '0-*', 'epoch', epoch, unpack(fields))
      last = last + 1
    end
  end
  for known = count, #ids / ID_BYTES - 1 do
    is_new(stream, string.sub(ids, known * ID_BYTES + 1, (known + 1) * ID_BYTES), args[8])
  end
  if args[6] ~= '' then redis.call('HSET', state, 'position', args[6]) end
  return {'ok', epoch, tostring(last)}
end

-- KEYS  stream of the cell
-- ARGV  1 epoch and 2 sequence of the last entry that the log has acknowledged
-- Removes the entries up to that one, if it is there: an epoch and a sequence are used once, so whatever stands before
-- it is what was read before it. Where the cell went back meanwhile nothing is removed, and it is relayed again.
local function remove(keys, args)
  local id = '0-' .. args[2]
  local found = redis.call('XRANGE', keys[1], id, id)[1]
  if not found or found[2][2] ~= args[1] then return 0 end
  return redis.call('XTRIM', keys[1], 'MINID', '=', '0-' .. string.format('%.0f', tonumber(args[2]) + 1))
end

local function now_ms()
  local time = redis.call('TIME')
  return tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
end

-- KEYS  leases: a hash of 'o:OWNER' -> until when it lives (ms), 'c:CELL' -> OWNER
-- ARGV  1 owner, 2 for how many ms it says that it lives, 3 how many cells it takes whoever has them, then all cells,
--       those first
-- Every cell of an owner that has ended is free. A living one takes free cells up to its share, and gives back what it
-- has above it, for others to take.
-- Reply the cells that the owner holds
local function lease(keys, args)
  local leases, me, now, rights = keys[1], args[1], now_ms(), tonumber(args[3])
  local holders, alive, flat = {}, {[me] = true}, redis.call('HGETALL', leases)
  local owners = 1
  for i = 1, #flat, 2 do
    local kind, name, value = string.sub(flat[i], 1, 2), string.sub(flat[i], 3), flat[i + 1]
    if kind == 'c:' then
      holders[name] = value
    elseif name ~= me then
      if tonumber(value) > now then
        alive[name], owners = true, owners + 1
      else
        redis.call('HDEL', leases, flat[i])
      end
    end
  end
  redis.call('HSET', leases, 'o:' .. me, string.format('%.0f', now + tonumber(args[2])))
  local held, spare = {}, {}
  for i = 4, #args do
    local cell, holder = args[i], holders[args[i]]
    if i - 3 <= rights then
      if holder ~= me then redis.call('HSET', leases, 'c:' .. cell, me) end
      held[#held + 1] = cell
    elseif holder == me then
      spare[#spare + 1] = cell
    end
  end
  local share = math.ceil((#args - 3) / owners)
  for _, cell in ipairs(spare) do
    if #held < share then held[#held + 1] = cell else redis.call('HDEL', leases, 'c:' .. cell) end
  end
  for i = 4 + rights, #args do
    local cell, holder = args[i], holders[args[i]]
    if #held < share and holder ~= me and not alive[holder or ''] then
      redis.call('HSET', leases, 'c:' .. cell, me)
      held[#held + 1] = cell
    end
  end
  return held
end

-- KEYS leases  ARGV owner
-- Gives back what the owner holds, for another to take at once.
local function release(keys, args)
  local flat = redis.call('HGETALL', keys[1])
  for i = 1, #flat, 2 do
    if flat[i] == 'o:' .. args[1] or (string.sub(flat[i], 1, 2) == 'c:' and flat[i + 1] == args[1]) then
      redis.call('HDEL', keys[1], flat[i])
    end
  end
  return 1
end

redis.register_function('lienthong_1_outbox_append', append)
redis.register_function('lienthong_1_outbox_remove', remove)
redis.register_function('lienthong_1_outbox_lease', lease)
redis.register_function('lienthong_1_outbox_release', release)

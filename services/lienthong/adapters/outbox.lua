#!lua name=lienthong_outbox_1

-- Appends decisions to an outbox cell; for event look-ups the source partition's position moves in the same step.
-- KEYS  1 stream of the cell, 2 state hash of the cell
-- ARGV  1 epoch to draw where one is needed, 2 highest sequence the caller knows, 3 cap of the cell in entries,
--       4 expected source position or '', 5 next source position or '',
--       6 how many fields each entry has, then the fields and values of every entry in a row
-- Reply {'ok', epoch, first sequence, last sequence} | {'position', stored} | {'full', length}
local function append(keys, args)
  local stream, state = keys[1], keys[2]
  local floor, cap = tonumber(args[2]), tonumber(args[3])
  if args[4] ~= '' then
    local stored = redis.call('HGET', state, 'position') or '0'
    if tonumber(stored) ~= tonumber(args[4]) then return {'position', stored} end
  end
  local width = tonumber(args[6])
  local count = (#args - 6) / width
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
  for entry = 0, count - 1 do
    local fields = {}
    for i = 1, width do fields[i] = args[6 + entry * width + i] end
    redis.call('XADD', stream, '0-*', 'epoch', epoch, unpack(fields))
  end
  if args[5] ~= '' then redis.call('HSET', state, 'position', args[5]) end
  return {'ok', epoch, tostring(last + 1), tostring(last + count)}
end

redis.register_function('outbox_append', append)

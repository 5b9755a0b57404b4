#!lua name=lienthong_projection_1

-- The projection's Function library. All keys of a cell carry one hash tag, '{generation.cell}', and are named here
-- from the key of its state, so that a cell lives in one slot. Numbers and buckets arrive in blobs of fixed layout:
-- one argument for a whole batch costs its sender a fraction of an argument for each field.

local BUCKETS_AN_UNLINK = 500
local KEYS_A_QUESTION = 1000

-- '{1.7}state' -> '{1.7}'
local function base_of(state) return string.sub(state, 1, -6) end

-- A slot that is moved key by key is here in part: a key that is missing may be elsewhere, and to write it would be to
-- write it twice. Asked for it beside one that is here the server knows, and refuses. So whoever finds keys missing, or is
-- about to write, asks before anything is written: the refusal then says that nothing was carried out. One key that never
-- is there tells whether the slot is being moved at all; only then is each of the names asked for.
local function is_whole(state, ...) return type(redis.pcall('EXISTS', state, ...)) ~= 'table' end

local function refuse(state) error({err = 'TRYAGAIN the slot of ' .. state .. ' is being moved'}) end

local function settle(state, names_of, blob)
  if is_whole(state, base_of(state) .. 'none') then return end
  local names = names_of(base_of(state), blob)
  for first = 1, #names, KEYS_A_QUESTION do
    if not is_whole(state, unpack(names, first, math.min(first + KEYS_A_QUESTION - 1, #names))) then refuse(state) end
  end
end

local function just(_, names) return names end

-- Records of a blob of (bucket 2 bytes, number 5 bytes): each that exists as (index 4, size 4, record). In its bucket ''
-- says that a record is too long for one and has a key of its own; without that key it is damaged, and '' is returned,
-- which no record is.
local function records_of(state, blob)
  local base, found, missing = base_of(state), {}, {}
  for at = 1, #blob, 7 do
    local high, low = string.byte(blob, at, at + 1)
    local bucket, number = base .. 'b' .. (high * 256 + low), string.sub(blob, at + 2, at + 6)
    local record, key = redis.pcall('HGET', bucket, number), bucket
    if record == '' then
      key = base .. 'r' .. number
      record = redis.pcall('GET', key)
    end
    if type(record) == 'table' then
      settle(state, just, {key})
      error(record)
    end
    if not record then
      missing[#missing + 1] = key
      if key ~= bucket then record = '' end
    end
    if record then found[#found + 1] = struct.pack('>I4I4', (at - 1) / 7, #record) .. record end
  end
  if #missing > 0 then settle(state, just, missing) end
  return table.concat(found)
end

-- KEYS state  ARGV buckets
-- Creates the cell if it has no state: whatever lies in its buckets came from elsewhere and is removed first (records
-- with a key of their own are only reached through their bucket, and written again before that).
local function open(keys, args)
  local state = keys[1]
  if redis.call('EXISTS', state) == 1 then return 0 end
  local base, buckets = base_of(state), tonumber(args[1])
  for first = 0, buckets - 1, BUCKETS_AN_UNLINK do
    local names = {}
    for bucket = first, math.min(first + BUCKETS_AN_UNLINK, buckets) - 1 do
      names[#names + 1] = base .. 'b' .. bucket
    end
    if type(redis.pcall('UNLINK', unpack(names))) == 'table' then refuse(state) end
  end
  redis.call('HSET', state, 'position', '0', 'facts', '0', 'digest', string.rep('\0', 32),
    'buckets', args[1], 'incomplete', '1')
  return 1
end

-- KEYS state  ARGV numbers (blob)
-- Reply {position, facts, digest, records}, the first three nil where there is no state.
local function old(keys, args)
  local state = redis.call('HMGET', keys[1], 'position', 'facts', 'digest')
  state[4] = records_of(keys[1], args[1])
  return state
end

-- The keys that a blob of records to write touches.
local function names_to_write(base, blob)
  local names, at = {}, 1
  while at <= #blob do
    local high, low = string.byte(blob, at, at + 1)
    local number, length = string.sub(blob, at + 2, at + 6), string.byte(blob, at + 7)
    at = at + 8
    names[#names + 1] = base .. 'b' .. (high % 128 * 256 + low)
    if high >= 128 or length == 0 then names[#names + 1] = base .. 'r' .. number end
    if length == 0 then
      length = struct.unpack('>I4', blob, at)
      at = at + 4
    end
    at = at + length
  end
  return names
end

-- KEYS state  ARGV expected position, next position, facts, digest, records
-- A record is (bucket 2 bytes, the highest bit: it had a key of its own; number 5; size 1; bytes), where size 0 says
-- that (size 4; bytes) follow and the record is too long for a bucket.
-- Reply {1, next position} | {0, stored position or ''}: only the one who knows the position writes, and moves it.
local function write(keys, args)
  local state, blob = keys[1], args[5]
  local position = redis.call('HGET', state, 'position')
  if position ~= args[1] then return {0, position or ''} end
  settle(state, names_to_write, blob)
  local base, at, size = base_of(state), 1, #blob
  while at <= size do
    local high, low = string.byte(blob, at, at + 1)
    local number, length = string.sub(blob, at + 2, at + 6), string.byte(blob, at + 7)
    local was_long = high >= 128
    if was_long then high = high - 128 end
    local bucket = base .. 'b' .. (high * 256 + low)
    at = at + 8
    if length > 0 then
      redis.call('HSET', bucket, number, string.sub(blob, at, at + length - 1))
      if was_long then redis.call('UNLINK', base .. 'r' .. number) end
    else
      length = struct.unpack('>I4', blob, at)
      at = at + 4
      redis.call('SET', base .. 'r' .. number, string.sub(blob, at, at + length - 1))
      redis.call('HSET', bucket, number, '')
    end
    at = at + length
  end
  redis.call('HSET', state, 'position', args[2], 'facts', args[3], 'digest', args[4])
  return {1, args[2]}
end

-- The buckets that a blob of index entries touches.
local function names_to_index(base, blob)
  local names = {}
  for at = 1, #blob, 12 do
    local high, low = string.byte(blob, at, at + 1)
    names[#names + 1] = base .. 'b' .. (high * 256 + low)
  end
  return names
end

local function holds(numbers, number)
  for at = 1, #numbers, 5 do
    if string.sub(numbers, at, at + 4) == number then return true end
  end
  return false
end

-- KEYS state of an index cell  ARGV card cell, from, to, buckets, entries (bucket 2 bytes, citizen ID 5, number 5)
-- Entries only grow. Reply {1, position} | {0, position} where the batch would leave a gap after what was indexed.
local function index(keys, args)
  local state, blob, base = keys[1], args[5], base_of(keys[1])
  local field, from, to = 'pos:' .. args[1], tonumber(args[2]), tonumber(args[3])
  local position = tonumber(redis.call('HGET', state, field) or '0')
  if position < from then return {0, position} end
  if position >= to then return {1, position} end
  settle(state, names_to_index, blob)
  for at = 1, #blob, 12 do
    local high, low = string.byte(blob, at, at + 1)
    local bucket, citizen, number = base .. 'b' .. (high * 256 + low), string.sub(blob, at + 2, at + 6), string.sub(blob, at + 7, at + 11)
    local numbers = redis.call('HGET', bucket, citizen)
    if not numbers then
      redis.call('HSET', bucket, citizen, number)
    elseif not holds(numbers, number) then
      redis.call('HSET', bucket, citizen, numbers .. number)
    end
  end
  redis.call('HSET', state, field, args[3], 'buckets', args[4])
  return {1, to}
end

-- KEYS state  ARGV facts, digest, expected position
-- Replaces sums that do not agree with the records, while nothing else has moved the cell. Reply 1 | 0.
local function recount(keys, args)
  if redis.call('HGET', keys[1], 'position') ~= args[3] then return 0 end
  redis.call('HSET', keys[1], 'facts', args[1], 'digest', args[2])
  return 1
end

-- KEYS state  Says that the cell lacks something until it has caught up. Reply 1 | 0 (there is no such cell).
local function incomplete(keys)
  if redis.call('EXISTS', keys[1]) == 0 then return 0 end
  redis.call('HSET', keys[1], 'incomplete', '1')
  return 1
end

-- KEYS state  ARGV end of the stream, when that was read (ms)
-- Reply 1 where the cell has read that far and is now complete as of then | 0.
local function caught_up(keys, args)
  local position = redis.call('HGET', keys[1], 'position')
  if not position or tonumber(position) < tonumber(args[1]) then return 0 end
  redis.call('HSET', keys[1], 'caught_up_at', args[2])
  redis.call('HDEL', keys[1], 'incomplete')
  return 1
end

-- KEYS state  ARGV numbers (blob)
-- One string: 'position caught_up_at incomplete buckets\n' with '-' for what is not there, then the records. State and
-- records are read in one step, so that no flush can fall between the proof of completeness and the absence it proves.
local function read(keys, args)
  local state = redis.call('HMGET', keys[1], 'position', 'caught_up_at', 'incomplete', 'buckets')
  for i = 1, 4 do state[i] = state[i] or '-' end
  return table.concat(state, ' ') .. '\n' .. records_of(keys[1], args[1])
end

-- KEYS state of an index cell  ARGV cells of cards, citizen IDs (blob of bucket 2 bytes, citizen ID 5)
-- One string: 'buckets position position ...\n' by card cell, then (index 4, size 4, numbers of 5 bytes each).
local function candidates(keys, args)
  local fields = {'buckets'}
  for cell = 0, tonumber(args[1]) - 1 do fields[#fields + 1] = 'pos:' .. cell end
  local state = redis.call('HMGET', keys[1], unpack(fields))
  for i = 1, #fields do state[i] = state[i] or '-' end
  return table.concat(state, ' ') .. '\n' .. records_of(keys[1], args[2])
end

-- KEYS state  ARGV first bucket, last bucket
-- Removes these buckets of a cell, of cards or of the index, with the records that have keys of their own.
local function forget(keys, args)
  local base = base_of(keys[1])
  for bucket = tonumber(args[1]), tonumber(args[2]) do
    local records = redis.call('HGETALL', base .. 'b' .. bucket)
    for i = 1, #records, 2 do
      if records[i + 1] == '' then redis.call('UNLINK', base .. 'r' .. records[i]) end
    end
    redis.call('UNLINK', base .. 'b' .. bucket)
  end
  return 1
end

-- KEYS stream, state  ARGV id of the entry before, id, batch id, batch
-- Reply {1, id} | {0, last id}: an entry is only ever appended to the one it was made to follow.
local function mirror(keys, args)
  local newest = redis.call('XREVRANGE', keys[1], '+', '-', 'COUNT', 1)
  local last = newest[1] and newest[1][1] or '0-0'
  if last ~= args[1] then return {0, last} end
  redis.call('XADD', keys[1], args[2], 'prev', args[1], 'batch_id', args[3], 'batch', args[4])
  redis.call('HSET', keys[2], 'last', args[2])
  return {1, args[2]}
end

local function register(name, callback, flags)
  redis.register_function{function_name = 'lienthong_1_' .. name, callback = callback, flags = flags}
end

register('open', open)
register('old', old, {'no-writes'})
register('write', write)
register('index', index)
register('recount', recount)
register('forget', forget)
register('incomplete', incomplete)
register('caught_up', caught_up)
register('read', read, {'no-writes'})
register('candidates', candidates, {'no-writes'})
register('mirror', mirror)

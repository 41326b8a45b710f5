-- Append events to the buffer, all or none: rate limit, idempotency mark, watermark, XADD and wake-up in one round trip.
-- A full Redis refuses the first command that writes; whatever refuses the events leaves no mark of them behind.
-- `count_hits` stands in app/core/fixed_window.py, whose text comes before this one.
--
-- KEYS: stream, wake flag, wake queue, counter of the rate limit, idempotency mark
-- ARGV: group, watermark (entries), wake interval (ms), longest wake queue, limit and window (ms) of the rate limit,
--       or '' for none, fingerprint, or '' where the client sent no Idempotency-Key, mark lifetime (ms), the series and
--       the first number that the events get in it (see numbering.py), or '' for none, payloads
-- Returns what became of them (as in Outcome of buffer.py), whether the caller must wake a worker (1 or 0), the hits in
-- the window, and how long it goes on (ms)

local STORED, REPLAYED, KEY_REUSED, BUFFER_FULL, OVER_LIMIT = 0, 1, 2, 3, 4
local FIRST_PAYLOAD = 11
local LARGEST_LEAP_MS = 2000

local events = #ARGV - FIRST_PAYLOAD + 1
local hits, window_left_ms = 0, 0

if ARGV[5] ~= '' then
  -- What is over the limit is one hit more: a batch that was too large leaves room for a smaller one.
  local fits = tonumber(redis.call('GET', KEYS[4]) or 0) + events <= tonumber(ARGV[5])
  hits, window_left_ms = count_hits(KEYS[4], fits and events or 1, ARGV[6])
  if not fits then
    return {OVER_LIMIT, 0, hits, window_left_ms}
  end
end

if ARGV[7] ~= '' then
  local seen = redis.call('GET', KEYS[5])
  if seen then
    return {seen == ARGV[7] and REPLAYED or KEY_REUSED, 0, hits, window_left_ms}
  end
end

local depth = redis.call('XLEN', KEYS[1])
if depth + events > tonumber(ARGV[2]) then
  return {BUFFER_FULL, 0, hits, window_left_ms}
end

-- The stream never exists without its group: a worker could not make it any more once Redis is full.
local function make_stream()
  redis.call('XGROUP', 'CREATE', KEYS[1], ARGV[1], '0', 'MKSTREAM')
end

local command = {'XADD', KEYS[1], '*', 'e', ''}
local series = ARGV[9] ~= '' and ARGV[9] .. ':'
local function add(i)
  command[5] = ARGV[i]
  if series then
    command[6], command[7] = 'n', series .. (ARGV[10] + i - FIRST_PAYLOAD)
  end
  return redis.pcall(unpack(command))
end

if depth == 0 and redis.call('EXISTS', KEYS[1]) == 0 then
  make_stream()
end

-- An id is never smaller than the one before, so after a leap of the clock, or of an id that somebody has written, the
-- ids no longer tell the time: then the entries bring it along. An empty stream begins anew instead.
local time = redis.call('TIME')
local added = add(FIRST_PAYLOAD)
local exhausted = added.err and (string.find(added.err, 'exhausted') or string.find(added.err, 'equal or smaller'))
if exhausted or not added.err and tonumber(string.match(added, '^%d+')) > time[1] * 1000 + LARGEST_LEAP_MS then
  if depth == 0 then
    redis.call('DEL', KEYS[1])
    make_stream()
  elseif not exhausted then
    redis.call('XDEL', KEYS[1], added)
    command[#command + 1] = 't'
    command[#command + 1] = string.format('%.0f', time[1] * 1000 + math.floor(time[2] / 1000))
  end
  added = add(FIRST_PAYLOAD)
end
for i = FIRST_PAYLOAD + 1, #ARGV do
  if added.err then
    break
  end
  added = add(i)
end
if added.err then
  return added
end

-- The mark comes after the events: what is refused must not look like a repeat when it is sent again.
if ARGV[7] ~= '' then
  redis.call('SET', KEYS[5], ARGV[7], 'PX', ARGV[8])
end

local must_wake = redis.call('LLEN', KEYS[3]) < tonumber(ARGV[4])
  and redis.call('SET', KEYS[2], '1', 'NX', 'PX', ARGV[3])
return {STORED, must_wake and 1 or 0, hits, window_left_ms}

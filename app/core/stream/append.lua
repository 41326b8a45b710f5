-- Append events to the buffer: rate limit, idempotency mark, watermark, XADD and wake-up in one round trip.
-- One call takes what several requests bring, one after another as if each had come alone: of each all events go in, or
-- none. What is the same for them (the hits of a counter, depth, time, wake-up) is asked once.
-- A full Redis refuses the first command that writes; whatever refuses the events leaves no mark of them behind.
-- `count_hits` stands in app/core/fixed_window.py, whose text comes before this one.
--
-- KEYS: stream, wake flag, wake queue, the counters of all rate limits, the idempotency mark of each request
-- ARGV: group, watermark (entries), wake interval (ms), longest wake queue, mark lifetime (ms), how many counters, of
--       each its limit and window (ms), then of each request: which counter, or 0 for none, fingerprint, or '' where
--       the client sent no Idempotency-Key, how many events, and of each its payload and its label (see numbering.py),
--       or '' for none
-- Returns for each request an error, or what became of its events (as in Outcome of appending.py), whether the caller
-- must wake a worker (1 or 0), the hits in the window, and how long it goes on (ms)

local STORED, REPLAYED, KEY_REUSED, BUFFER_FULL, OVER_LIMIT = 0, 1, 2, 3, 4
local FIRST_COUNTER, FIRST_LIMIT = 4, 7
local LARGEST_LEAP_MS = 2000

local stream, watermark, mark_lifetime_ms = KEYS[1], tonumber(ARGV[2]), ARGV[5]
local counters = tonumber(ARGV[6])
local first_mark, first_request = FIRST_COUNTER + counters, FIRST_LIMIT + 2 * counters
local depth, time, leapt

local function error_of(failure)
  return type(failure) == 'table' and failure or {err = tostring(failure)}
end

-- The stream never exists without its group: a worker could not make it any more once Redis is full.
local function make_stream()
  redis.call('XGROUP', 'CREATE', stream, ARGV[1], '0', 'MKSTREAM')
end

local function add(payload, label)
  if not leapt and label ~= '' then
    return redis.pcall('XADD', stream, '*', 'e', payload, 'n', label)
  end
  local command = {'XADD', stream, '*', 'e', payload}
  if label ~= '' then
    command[6], command[7] = 'n', label
  end
  if leapt then
    command[#command + 1] = 't'
    command[#command + 1] = string.format('%.0f', time[1] * 1000 + math.floor(time[2] / 1000))
  end
  return redis.pcall(unpack(command))
end

-- An id is never smaller than the one before, so after a leap of the clock, or of an id that somebody has written, the
-- ids no longer tell the time: then the entries bring it along. An empty stream begins anew instead.
local function add_first(payload, label)
  if depth == 0 and redis.call('EXISTS', stream) == 0 then
    make_stream()
  end
  time = redis.call('TIME')
  local added = add(payload, label)
  local exhausted = added.err and (string.find(added.err, 'exhausted') or string.find(added.err, 'equal or smaller'))
  if exhausted or not added.err and tonumber(string.match(added, '^%d+')) > time[1] * 1000 + LARGEST_LEAP_MS then
    if depth == 0 then
      redis.call('DEL', stream)
      make_stream()
    elseif not exhausted then
      redis.call('XDEL', stream, added)
      leapt = true
    end
    added = add(payload, label)
  end
  return added
end

local function seen_before(mark, fingerprint)
  local seen = redis.call('GET', mark)
  return seen and (seen == fingerprint and REPLAYED or KEY_REUSED)
end

local function take(mark, fingerprint, events, at)
  depth = depth or redis.call('XLEN', stream)
  if depth + events > watermark then
    return fingerprint ~= '' and seen_before(mark, fingerprint) or BUFFER_FULL
  end
  if fingerprint ~= '' and not redis.call('SET', mark, fingerprint, 'NX', 'PX', mark_lifetime_ms) then
    return seen_before(mark, fingerprint)
  end
  local added
  for i = at, at + 2 * (events - 1), 2 do
    added = (time and add or add_first)(ARGV[i], ARGV[i + 1])
    if added.err then
      -- what is refused must not look like a repeat when it is sent again
      if fingerprint ~= '' then
        redis.call('DEL', mark)
      end
      return added
    end
  end
  depth = depth + events
  return STORED
end

local windows = {}
for i = 1, counters do
  windows[i] = {counter = KEYS[FIRST_COUNTER + i - 1], events = 0, hits = 0}
end
local at = first_request
for _ = first_mark, #KEYS do
  local window = windows[tonumber(ARGV[at])]
  if window then
    window.events = window.events + ARGV[at + 2]
  end
  at = at + 3 + 2 * ARGV[at + 2]
end
for i, window in ipairs(windows) do
  window.limit = tonumber(ARGV[FIRST_LIMIT + 2 * i - 2])
  local counted, hits, left_ms = pcall(count_hits, window.counter, window.events, ARGV[FIRST_LIMIT + 2 * i - 1])
  if counted then
    window.hits, window.left_ms = hits - window.events, left_ms
  else
    window.failure = error_of(hits)
  end
end

-- What is over the limit is one hit more: a batch that was too large leaves room for a smaller one.
local function refusal(window, events)
  if window.failure then
    return window.failure
  end
  if window.hits + events <= window.limit then
    window.hits = window.hits + events
    return nil
  end
  window.hits = window.hits + 1
  if events > 1 then
    redis.call('DECRBY', window.counter, events - 1)
  end
  return OVER_LIMIT
end

local answers, first_stored = {}, nil
at = first_request
for key = first_mark, #KEYS do
  local events, window = tonumber(ARGV[at + 2]), windows[tonumber(ARGV[at])]
  local outcome = window and refusal(window, events)
  if not outcome then
    local done
    done, outcome = pcall(take, KEYS[key], ARGV[at + 1], events, at + 3)
    outcome = done and outcome or error_of(outcome)
  end
  if outcome == STORED then
    first_stored = first_stored or #answers + 1
  end
  local is_error = type(outcome) == 'table'
  answers[#answers + 1] = is_error and outcome or {outcome, 0, window and window.hits or 0, window and window.left_ms or 0}
  at = at + 3 + 2 * events
end

if first_stored and redis.call('LLEN', KEYS[3]) < tonumber(ARGV[4])
  and redis.call('SET', KEYS[2], '1', 'NX', 'PX', ARGV[3]) then
  answers[first_stored][2] = 1
end
return answers

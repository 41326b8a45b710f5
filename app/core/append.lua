-- Append one event to the buffer: idempotency mark, watermark, XADD and wake-up in one round trip.
-- A full Redis refuses the first command that writes; whatever refuses the event leaves no mark of it behind.
--
-- KEYS: stream, wake flag, wake queue, and the idempotency mark where the client sent an Idempotency-Key
-- ARGV: group, payload, watermark (entries), wake interval (ms), longest wake queue, fingerprint, mark lifetime (ms)
-- Returns 0 stored, 1 stored and the caller must wake a worker, 2 replayed, 3 conflict, 4 full

if KEYS[4] then
  local seen = redis.call('GET', KEYS[4])
  if seen then
    if seen == ARGV[6] then
      return 2
    end
    return 3
  end
end

local depth = redis.call('XLEN', KEYS[1])
if depth >= tonumber(ARGV[3]) then
  return 4
end

-- The stream never exists without its group: a worker could not make it any more once Redis is full.
if depth == 0 and redis.call('EXISTS', KEYS[1]) == 0 then
  redis.call('XGROUP', 'CREATE', KEYS[1], ARGV[1], '0', 'MKSTREAM')
end

-- The mark comes after the event: an event that is refused must not look like a repeat when it is sent again.
redis.call('XADD', KEYS[1], '*', 'e', ARGV[2])
if KEYS[4] then
  redis.call('SET', KEYS[4], ARGV[6], 'PX', ARGV[7])
end

if redis.call('LLEN', KEYS[3]) < tonumber(ARGV[5])
  and redis.call('SET', KEYS[2], '1', 'NX', 'PX', ARGV[4]) then
  return 1
end
return 0

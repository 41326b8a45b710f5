-- Append events to the buffer, all or none: idempotency mark, watermark, XADD and wake-up in one round trip.
-- A full Redis refuses the first command that writes; whatever refuses the events leaves no mark of them behind.
--
-- KEYS: stream, wake flag, wake queue, and the idempotency mark where the client sent an Idempotency-Key
-- ARGV: group, watermark (entries), wake interval (ms), longest wake queue, fingerprint, mark lifetime (ms), payloads
-- Returns 0 stored, 1 stored and the caller must wake a worker, 2 replayed, 3 conflict, 4 full

if KEYS[4] then
  local seen = redis.call('GET', KEYS[4])
  if seen then
    if seen == ARGV[5] then
      return 2
    end
    return 3
  end
end

local depth = redis.call('XLEN', KEYS[1])
if depth + #ARGV - 6 > tonumber(ARGV[2]) then
  return 4
end

-- The stream never exists without its group: a worker could not make it any more once Redis is full.
if depth == 0 and redis.call('EXISTS', KEYS[1]) == 0 then
  redis.call('XGROUP', 'CREATE', KEYS[1], ARGV[1], '0', 'MKSTREAM')
end

-- The mark comes after the events: what is refused must not look like a repeat when it is sent again.
for i = 7, #ARGV do
  redis.call('XADD', KEYS[1], '*', 'e', ARGV[i])
end
if KEYS[4] then
  redis.call('SET', KEYS[4], ARGV[5], 'PX', ARGV[6])
end

if redis.call('LLEN', KEYS[3]) < tonumber(ARGV[4])
  and redis.call('SET', KEYS[2], '1', 'NX', 'PX', ARGV[3]) then
  return 1
end
return 0

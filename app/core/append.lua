-- Append one event to the buffer: idempotency mark, watermark, XADD and wake-up in one round trip.
-- Nothing is written before the first SET or XADD, so an out-of-memory refusal leaves nothing behind.
--
-- KEYS: stream, wake flag, wake queue, and the idempotency mark where the client sent an Idempotency-Key
-- ARGV: payload, watermark (entries), wake interval (ms), longest wake queue, fingerprint, mark lifetime (ms)
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

if redis.call('XLEN', KEYS[1]) >= tonumber(ARGV[2]) then
  return 4
end

if KEYS[4] then
  redis.call('SET', KEYS[4], ARGV[5], 'PX', ARGV[6])
end
redis.call('XADD', KEYS[1], '*', 'e', ARGV[1])

if redis.call('LLEN', KEYS[3]) < tonumber(ARGV[4])
  and redis.call('SET', KEYS[2], '1', 'NX', 'PX', ARGV[3]) then
  return 1
end
return 0

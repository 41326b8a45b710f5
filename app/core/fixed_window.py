"""Fixed windows of rate limits: how many hits there were since the first one, counted in Redis in one way for all."""

from typing import NamedTuple

COUNT_HITS = """
local function count_hits(counter, hits, length_ms)
  local count = redis.call('INCRBY', counter, hits)
  local left_ms = redis.call('PTTL', counter)
  -- whenever it is missing, so that a counter can never be stuck above its limit
  if left_ms < 0 then
    redis.call('PEXPIRE', counter, length_ms)
    left_ms = tonumber(length_ms)
  end
  return count, left_ms
end
"""
"""A Lua function for the scripts that count: the hits in the window by now, and how long it goes on (ms)."""


class FixedWindow(NamedTuple):
    """A window in which there may be `limit` hits. `counter`: the Redis key that counts them."""

    counter: str
    limit: int
    length_ms: int

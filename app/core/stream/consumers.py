"""Consumers of the group: those that write down what they saw, and silent ones, workers of 0.1.0 and strangers.

What a silent one takes leaves no trace in the ledger, so nobody can tell whether it was stored or got lost.
"""

from typing import Any

import redis

from app.core.redis_client import redis_errors
from app.core.stream.state import GROUP, STREAM

MARK = "+ledger"
"""Behind the names of those that write down what they saw. A worker of 0.1.0 keeps the plain name, and its successor
mostly has the same: so it is told apart by this."""
FORGOTTEN_AFTER_SECONDS = 3_600
WITHOUT_CONSUMERS = ("NOGROUP", "no such key")
"""How Redis's answers begin where there is no group, or no stream."""

# Only with nothing pending, which nobody would have any more: so it is looked at in the same moment.
_FORGET = """
if redis.call('EXISTS', KEYS[1]) == 0 then return 0 end
local forgotten = 0
for _, group in ipairs(redis.call('XINFO', 'GROUPS', KEYS[1])) do
  if group[2] == ARGV[1] then
    for _, fields in ipairs(redis.call('XINFO', 'CONSUMERS', KEYS[1], ARGV[1])) do
      local consumer = {}
      for place = 1, #fields, 2 do consumer[fields[place]] = fields[place + 1] end
      local is_silent = string.sub(consumer.name, -#ARGV[2]) ~= ARGV[2]
      if is_silent and consumer.pending == 0 and consumer.idle >= tonumber(ARGV[3]) then
        redis.call('XGROUP', 'DELCONSUMER', KEYS[1], ARGV[1], consumer.name)
        forgotten = forgotten + 1
      end
    end
  end
end
return forgotten
"""


def marked(consumer: str) -> str:
    """The name in the group of a consumer that writes down what it saw."""
    return consumer + MARK


def silent_for_seconds(client: redis.Redis) -> float | None:
    """How long ago a silent consumer last asked for entries; None where there is none."""
    with redis_errors(), client.pipeline(transaction=False) as pipeline:
        pipeline.xinfo_consumers(STREAM, GROUP)
        (answer,) = pipeline.execute(raise_on_error=False)
        if isinstance(answer, redis.ResponseError) and str(answer).startswith(WITHOUT_CONSUMERS):
            return None
        if isinstance(answer, Exception):
            raise answer
    idle: list[int] = [row["idle"] for row in answer if not row["name"].endswith(MARK.encode())]
    return min(idle) / 1_000 if idle else None


def forget_silent_ones(client: redis.Redis, *, after_seconds: float = FORGOTTEN_AFTER_SECONDS) -> int:
    """Forget those that have not asked for so long and hold nothing; returns how many.

    A Redis that starts anew reads from its append-only file that they have asked just then.
    """
    arguments: list[Any] = [GROUP, MARK, int(after_seconds * 1_000)]
    with redis_errors():
        return int(client.register_script(_FORGET)(keys=[STREAM], args=arguments))

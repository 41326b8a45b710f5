"""Consumers of the group: those that write down what they saw, and silent ones, workers of 0.1.0 and strangers.

What a silent one takes leaves no trace in the ledger, so nobody can tell whether it was stored or got lost.
"""

from collections.abc import Iterable, Sequence
from typing import Any

import redis

from app.core.redis_client import redis_errors
from app.core.stream.state import GROUP
from app.core.stream.streams import key_of, streams_in

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
    """How long ago a silent consumer last asked any stream for entries; None where there is none."""
    consumers = _consumers_of(client, streams_in(client))
    return min((idle for name, idle in consumers if not name.endswith(MARK)), default=None)


def forget_silent_ones(client: redis.Redis, *, after_seconds: float = FORGOTTEN_AFTER_SECONDS) -> int:
    """Forget those that have not asked for so long and hold nothing; returns how many.

    A Redis that starts anew reads from its append-only file that they have asked just then.
    """
    arguments: list[Any] = [GROUP, MARK, int(after_seconds * 1_000)]
    streams = streams_in(client)
    with redis_errors():
        forget = client.register_script(_FORGET)
        return sum(int(forget(keys=[key_of(client, stream)], args=arguments)) for stream in streams)


def _consumers_of(client: redis.Redis, streams: Iterable[int]) -> Sequence[tuple[str, float]]:
    """The name of each, in each stream, and for how many seconds it has asked for nothing."""
    with redis_errors(), client.pipeline(transaction=False) as pipeline:
        for stream in streams:
            pipeline.xinfo_consumers(key_of(client, stream), GROUP)
        answers = pipeline.execute(raise_on_error=False)
        found = []
        for answer in answers:
            if isinstance(answer, redis.ResponseError) and str(answer).startswith(WITHOUT_CONSUMERS):
                continue
            if isinstance(answer, Exception):
                raise answer
            found += [(row["name"].decode(errors="replace"), row["idle"] / 1_000) for row in answer]
    return found

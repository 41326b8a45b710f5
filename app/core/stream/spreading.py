"""To which stream events go, and where their rate limit is counted.

What is sent with an Idempotency-Key goes to the stream of its hash, where its mark is; all else takes turns, however
busy one API key is. Where the node of a stream takes nothing just now, and has surely done nothing, the next stream has
the events: a repeat does not find the mark there, is buffered twice under one id, and stored once by PostgreSQL. So it
is too for a while after the number of streams was changed.
"""

import itertools
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any
from zlib import crc32

import redis

from app.core.fixed_window import COUNT_HITS
from app.core.redis_cluster import answered_elsewhere, is_cluster
from app.core.stream.appending import Answer, Ask, Asked, Outcome, Send, append_script

AVOIDED_SECONDS = 1.0
"""A stream that took nothing is asked again after so long: who waits for a node that is away should be few."""
MOST_AVOIDED = 10_000

# As append.lua counts: what is over the limit is one hit more, whatever its size.
_COUNT = (
    COUNT_HITS
    + """
local hits, left_ms = count_hits(KEYS[1], ARGV[1], ARGV[2])
if hits <= tonumber(ARGV[3]) then return {0, hits, left_ms} end
if tonumber(ARGV[1]) > 1 then hits = redis.call('DECRBY', KEYS[1], ARGV[1] - 1) end
return {1, hits, left_ms}
"""
)


def ask_of_streams(
    client: redis.Redis,
    streams: int,
    together: Callable[[Send], Ask],
    *,
    max_events: int,
    idempotency_window_seconds: int,
) -> Ask:
    """Asks for one request, in the stream that it belongs to; `together` gathers those of each stream.

    In a cluster the rate limit of a key is on one node, and its events are on all: so it is counted first, in a round
    trip of its own. Elsewhere the script that appends counts; and where that node is away, so that each stream counts
    the hits that it has met itself.
    """
    asks = [
        together(
            append_script(
                client,
                stream=stream,
                max_events=max(1, max_events // streams),
                idempotency_window_seconds=idempotency_window_seconds,
            )
        )
        for stream in range(streams)
    ]
    # on one Redis the next stream is away as well
    ask = asks[0] if streams == 1 else _spread_over(asks, most_tried=streams if is_cluster(client) else 1)
    return _counted_apart(client, ask) if is_cluster(client) else ask


def _spread_over(asks: Sequence[Ask], *, most_tried: int) -> Ask:
    turn = itertools.count()
    avoided_until = [0.0] * len(asks)

    def ask_one(stream: int, asked: Asked) -> Answer:
        answer = asks[stream](asked)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def ask(asked: Asked) -> Answer:
        first = crc32(asked.mark.encode()) if asked.fingerprint else next(turn)
        order = [(first + step) % len(asks) for step in range(len(asks))]
        now = time.monotonic()
        # where all are away one more try is enough to see whether they are back
        tried = [stream for stream in order if avoided_until[stream] <= now][:most_tried] or order[:1]

        def avoid(position: int) -> None:
            avoided_until[tried[position]] = time.monotonic() + AVOIDED_SECONDS

        return answered_elsewhere([partial(ask_one, stream, asked) for stream in tried], avoid)

    return ask


def _counted_apart(client: redis.Redis, ask: Ask) -> Ask:
    count = client.register_script(_COUNT)
    avoided_until: dict[str, float] = {}

    def ask_counted(asked: Asked) -> Answer:
        window = asked.window
        if window is None or time.monotonic() < avoided_until.get(window.counter, 0.0):
            return ask(asked)

        def avoid(_position: int) -> None:
            if len(avoided_until) >= MOST_AVOIDED:
                avoided_until.clear()
            avoided_until[window.counter] = time.monotonic() + AVOIDED_SECONDS

        arguments = (len(asked.payloads), window.length_ms, window.limit)
        ways: list[Callable[[], Any]] = [partial(count, keys=[window.counter], args=arguments), lambda: None]
        counted = answered_elsewhere(ways, avoid)
        if counted is None:
            return ask(asked)
        is_over, hits, left_ms = counted
        if is_over:
            return [Outcome.OVER_LIMIT, 0, hits, left_ms]
        answer = ask(asked._replace(window=None))
        return answer if isinstance(answer, Exception) else [*answer[:2], hits, left_ms]

    return ask_counted

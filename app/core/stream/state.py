"""What waits in the buffer: how much, for how long, and which events."""

from dataclasses import dataclass
from typing import Any

import redis

from app.core.errors import BufferDamaged
from app.core.redis_client import redis_errors
from app.core.stream.entries import LABEL_FIELD, entries_of, milliseconds_of
from app.core.stream.streams import key_of, streams_in

STREAM = "pa:events"
GROUP = "drain"
READ_SIZE = 1_000
"""Redis needs 4 ms to hand out so many entries, and answers nobody else meanwhile."""


@dataclass(frozen=True, slots=True)
class BufferState:
    """`oldest_age_seconds` is 0 for an empty buffer; `last_drain_age_seconds` is None before the first drain.

    `leap_seconds`: how far the last id is ahead of Redis's clock, which makes ids useless as times.
    """

    depth: int
    pending: int
    oldest_age_seconds: float
    last_drain_age_seconds: float | None
    leap_seconds: float = 0.0


def labels_in(client: redis.Redis, *, at_most: int) -> list[bytes] | None:
    """The labels of all entries, in reads of READ_SIZE; None where there are more entries than `at_most`."""
    names = [key_of(client, stream) for stream in streams_in(client)]
    with redis_errors():
        if sum(client.xlen(name) for name in names) > at_most:
            return None
        labels: list[bytes] = []
        for name in names:
            last = "-"
            while entries := _read(client, name, last):
                labels += [fields[LABEL_FIELD] for _, fields in entries if LABEL_FIELD in fields]
                last = "(" + entries[-1][0].decode()
    return labels


def _read(client: redis.Redis, name: str, first: str) -> list[tuple[bytes, dict[bytes, bytes]]]:
    answer: Any = client.xrange(name, min=first, count=READ_SIZE)
    return list(answer)


def state_of(client: redis.Redis) -> BufferState:
    """Depth and ages, by Redis's own clock, of all streams together.

    Raises BufferDamaged where something else is in the place of a stream.
    """
    states = [_state_of(client, key_of(client, stream)) for stream in streams_in(client)]
    drains = [state.last_drain_age_seconds for state in states if state.last_drain_age_seconds is not None]
    return BufferState(
        depth=sum(state.depth for state in states),
        pending=sum(state.pending for state in states),
        oldest_age_seconds=max(state.oldest_age_seconds for state in states),
        last_drain_age_seconds=min(drains, default=None),
        leap_seconds=max(state.leap_seconds for state in states),
    )


def _state_of(client: redis.Redis, name: str) -> BufferState:
    """Of one stream, in one round trip."""
    with redis_errors(), client.pipeline(transaction=False) as pipeline:
        pipeline.time()
        pipeline.xlen(name)
        pipeline.xrange(name, count=1)
        pipeline.xrevrange(name, count=1)
        pipeline.xinfo_groups(name)
        pipeline.xinfo_consumers(name, GROUP)
        now, depth, oldest, newest, groups, consumers = pipeline.execute(raise_on_error=False)
    if isinstance(depth, redis.ResponseError):
        raise BufferDamaged(f"{name} is no stream: {depth}")
    with redis_errors():
        for answer in (now, depth, oldest, newest):
            if isinstance(answer, Exception):
                raise answer
    now_ms = now[0] * 1_000 + now[1] // 1_000
    oldest_ms = entries_of(oldest)[0].received_at_ms if oldest else now_ms
    group = [] if isinstance(groups, Exception) else [row for row in groups if row["name"] == GROUP.encode()]
    idle = [] if isinstance(consumers, Exception) else [row["idle"] for row in consumers]
    return BufferState(
        depth=depth,
        pending=group[0]["pending"] if group else 0,
        oldest_age_seconds=max(0, now_ms - oldest_ms) / 1_000,
        last_drain_age_seconds=min(idle) / 1_000 if idle else None,
        leap_seconds=max(0, milliseconds_of(newest[0][0]) - now_ms) / 1_000 if newest else 0.0,
    )

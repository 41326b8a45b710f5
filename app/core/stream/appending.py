"""What append.lua is asked and what it answers; several requests may travel in one call of it."""

import itertools
from collections.abc import Callable, Sequence
from enum import IntEnum
from importlib.resources import files
from typing import Any, NamedTuple

import redis

from app.core.fixed_window import COUNT_HITS, FixedWindow
from app.core.redis_cluster import is_cluster
from app.core.stream.state import GROUP, STREAM
from app.core.stream.streams import tag_of, tagged

WAKE_FLAG = "pa:wake"
WAKE_QUEUE = "drain"
"""The RQ queue of wake-ups, and below the one function that comes through it."""
WAKE_JOB = "worker.jobs.drain"
_WAKE_KEYS = (WAKE_FLAG, "rq:queue:" + WAKE_QUEUE)

WAKE_INTERVAL_MS = 1_000
MAX_WAITING_WAKE_UPS = 4
"""Without a worker nobody empties the queue of wake-ups; this many are enough to wake several at once."""

_APPEND = COUNT_HITS + files("app.core.stream").joinpath("append.lua").read_text()


class Outcome(IntEnum):
    """What became of events, as append.lua tells it. All but STORED and REPLAYED: surely not stored."""

    STORED = 0
    REPLAYED = 1
    """They were stored before, under the same id."""
    KEY_REUSED = 2
    """Their id was used before, with other content."""
    BUFFER_FULL = 3
    """They would bring the buffer above its watermark."""
    OVER_LIMIT = 4
    """They are more than the rate limit has left."""


class Asked(NamedTuple):
    """One request to append. `mark`: the Redis key of its Idempotency-Key, by its name where there is one stream.

    `fingerprint`: empty where it has no such key. `labels`: one for each payload, empty ones where nobody numbers them.
    """

    window: FixedWindow | None
    mark: str
    fingerprint: bytes
    payloads: Sequence[bytes]
    labels: Sequence[bytes]


Answer = Any
"""Four integers as append.lua names them, or an error of Redis, as a value."""

Send = Callable[[Sequence[Asked]], Sequence[Answer]]
"""Asks for several at once; raises errors of Redis where nobody has an answer."""

Ask = Callable[[Asked], Answer]
"""Asks for one. Raises the same, or returns the error."""


def append_script(client: redis.Redis, *, stream: int = 0, max_events: int, idempotency_window_seconds: int) -> Send:
    """A function that calls append.lua once for all that it is given, which goes to one stream."""
    script = client.register_script(_APPEND)
    tag = tag_of(client, stream)
    counter_tag = tag if is_cluster(client) else tag_of(client, 0)
    # all that a script of a cluster touches is on one node; how many wake-ups wait, who wakes looks for itself there
    wake_keys = [tagged(tag, name) for name in (WAKE_FLAG, "pa:wake-ups")] if is_cluster(client) else _WAKE_KEYS
    first_keys = (tagged(tag, STREAM), *wake_keys)
    first_arguments = (GROUP, max_events, WAKE_INTERVAL_MS, MAX_WAITING_WAKE_UPS, idempotency_window_seconds * 1_000)

    def send(asked: Sequence[Asked]) -> Sequence[Answer]:
        windows: dict[FixedWindow | None, int] = {None: 0}
        arguments: list[Any] = []
        for window, _, fingerprint, payloads, labels in asked:
            arguments += (windows.setdefault(window, len(windows)), fingerprint, len(payloads))
            arguments += itertools.chain.from_iterable(zip(payloads, labels, strict=True))
        counted = [window for window in windows if window]
        answers: Sequence[Answer] = script(
            keys=[
                *first_keys,
                *(tagged(counter_tag, window.counter) for window in counted),
                *(tagged(tag, each.mark) for each in asked),
            ],
            args=[
                *first_arguments,
                len(counted),
                *itertools.chain.from_iterable(window[1:] for window in counted),
                *arguments,
            ],
        )
        return answers

    return send


def one_by_one(send: Send) -> Ask:
    """Each request in a call of its own."""
    return lambda asked: send([asked])[0]

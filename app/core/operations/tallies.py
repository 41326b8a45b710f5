"""Counts of the last day in Redis, by names and by five minutes: for people to look at, not for accounts.

Each hour is a hash that expires by itself, so nothing has to clean up.
"""

import time
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

import redis

from app.core.background import DelayedCall
from app.core.errors import Rejected, Unavailable
from app.core.redis_client import redis_errors

BUCKET_SECONDS = 300
HOUR_SECONDS = 3_600
KEPT_SECONDS = 25 * HOUR_SECONDS
REFUSALS = "pa:refusals"
DRAINED = "pa:drained"
EVENTS_BY_KEY = "pa:events-by-key"
MAX_WAITING = 10_000
"""So many different counts wait at most for a Redis that does not answer."""


class Tally:
    """Counts in memory, written to Redis a second later; one in each process."""

    def __init__(
        self, client: redis.Redis, tally: str, *, clock: Callable[[], float] = time.time, delay_seconds: float = 1.0
    ) -> None:
        """`clock`: seconds since the epoch. What was noted is written together after `delay_seconds`."""
        self._client = client
        self._tally = tally
        self._clock = clock
        self._waiting: Counter[tuple[int, str]] = Counter()
        self._flush = DelayedCall(self._write, delay_seconds=delay_seconds)

    def note(self, name: str, count: int = 1) -> None:
        """Count something. Never waits and never raises."""
        self._waiting[five_minutes_of(self._clock()), name] += count
        self._flush.schedule()

    def _write(self) -> bool:
        waiting, self._waiting = self._waiting, Counter()
        for counts in _by_hour(waiting):
            try:
                add_counts(self._client, self._tally, counts)
            except (Unavailable, Rejected):
                # an outage is when refusals are worth seeing
                if len(counts) <= MAX_WAITING:
                    self._waiting.update(counts)
        return not self._waiting


def five_minutes_of(now_seconds: float) -> int:
    """The start of the five minutes that this moment is in, in seconds since the epoch."""
    return int(now_seconds) // BUCKET_SECONDS * BUCKET_SECONDS


def add_counts(client: redis.Redis, tally: str, counts: Mapping[tuple[int, str], int]) -> None:
    """Add to the counts of buckets and names, all or none of those of an hour.

    Raises RedisFull and RedisUnavailable; where an answer was lost they may have been added.
    """
    for of_hour in _by_hour(counts):
        with redis_errors(), client.pipeline(transaction=True) as pipeline:
            for (bucket, name), count in of_hour.items():
                pipeline.hincrby(_key(tally, bucket), f"{bucket}:{name}", count)
            pipeline.expire(_key(tally, next(iter(of_hour))[0]), KEPT_SECONDS)
            pipeline.execute()


def read_counts(client: redis.Redis, tally: str, now: datetime) -> dict[tuple[int, str], int]:
    """The counts of the last 24 hours by bucket and name. Raises RedisUnavailable."""
    first = five_minutes_of((now - timedelta(hours=24)).timestamp())
    hours = range(first // HOUR_SECONDS, int(now.timestamp()) // HOUR_SECONDS + 1)
    with redis_errors(), client.pipeline(transaction=False) as pipeline:
        for hour in hours:
            pipeline.hgetall(_key(tally, hour * HOUR_SECONDS))
        hashes = pipeline.execute()
    counts = {}
    for each in hashes:
        for field, count in each.items():
            bucket, _, name = field.decode().partition(":")
            if int(bucket) >= first:
                counts[int(bucket), name] = int(count)
    return counts


def count_events_by_key(client: redis.Redis, now: datetime) -> dict[int, int]:
    """How many events were taken with each key in the last 24 hours, by the key's id. Raises RedisUnavailable."""
    events: Counter[int] = Counter()
    for (_, key_id), count in read_counts(client, EVENTS_BY_KEY, now).items():
        events[int(key_id)] += count
    return dict(events)


def _by_hour(counts: Mapping[tuple[int, str], int]) -> list[dict[tuple[int, str], int]]:
    """In a cluster two hours may be on two nodes, and no transaction goes over both."""
    hours: defaultdict[int, dict[tuple[int, str], int]] = defaultdict(dict)
    for (bucket, name), count in counts.items():
        hours[bucket // HOUR_SECONDS][bucket, name] = count
    return list(hours.values())


def _key(tally: str, bucket: int) -> str:
    return f"{tally}:{bucket // HOUR_SECONDS}"

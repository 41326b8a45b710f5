"""Counts of the last day in Redis, by names and by five minutes: for people to look at, not for accounts.

Each hour is a hash that expires by itself, so nothing has to clean up.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta

import redis

from app.core.redis_client import redis_errors

BUCKET_SECONDS = 300
HOUR_SECONDS = 3_600
KEPT_SECONDS = 25 * HOUR_SECONDS
REFUSALS = "pa:refusals"
DRAINED = "pa:drained"


def bucket_of(now_seconds: float) -> int:
    """The start of the five minutes that this moment is in, in seconds since the epoch."""
    return int(now_seconds) // BUCKET_SECONDS * BUCKET_SECONDS


def add_counts(client: redis.Redis, tally: str, counts: Mapping[tuple[int, str], int]) -> None:
    """Add to the counts of buckets and names, all or none of them.

    Raises BufferFull and BufferUnavailable; where an answer was lost they may have been added.
    """
    with redis_errors(), client.pipeline(transaction=True) as pipeline:
        for (bucket, name), count in counts.items():
            pipeline.hincrby(_key(tally, bucket), f"{bucket}:{name}", count)
        for key in {_key(tally, bucket) for bucket, _ in counts}:
            pipeline.expire(key, KEPT_SECONDS)
        pipeline.execute()


def read_counts(client: redis.Redis, tally: str, now: datetime) -> dict[tuple[int, str], int]:
    """The counts of the last 24 hours by bucket and name. Raises BufferUnavailable."""
    first = bucket_of((now - timedelta(hours=24)).timestamp())
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


def _key(tally: str, bucket: int) -> str:
    return f"{tally}:{bucket // HOUR_SECONDS}"

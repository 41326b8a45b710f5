"""A mergeable histogram of latencies whose quantiles are within 1 %.

Buckets grow by a factor of 1.02, as in DDSketch (Masson, Rim, Lee, VLDB 2019): bucket i holds the values in
(1.02^(i-1), 1.02^i], and its middle 2·1.02^i/(1.02+1) is within 0.02/2.02 = 0.99 % of each of them.

A sketch is a byte string of entries in any order, each 32 bits, little-endian: twelve for the bucket's number plus
2,048, and the lower twenty for a count. A bucket may occur more than once. So two sketches are merged by putting one
behind the other, which PostgreSQL does with `||` and string_agg, and an entry list that grew long is compacted now
and then.
"""

import math
import struct
from collections.abc import Iterable, Mapping

LOG_GROWTH = math.log(1.02)
ZERO_BUCKET = -2_048
"""Latencies below a picosecond count as zero: they have no logarithm."""
SMALLEST_MS = 1e-9
COMPACT_ABOVE_BYTES = 2_720
"""Longer sketches are worth compacting: 680 entries span latencies from 1 ms to 11 minutes."""

COUNT_BITS = 20
MAX_COUNT = 2**COUNT_BITS - 1
"""Of one entry; a million events in one bucket take a second one."""
_ENTRY = struct.Struct("<I")


def bucket_of(latency_ms: float) -> int:
    """The bucket of a latency from 0 to 1e12."""
    return bucket_of_logarithm(math.log(latency_ms)) if latency_ms >= SMALLEST_MS else ZERO_BUCKET


def bucket_of_logarithm(logarithm: float) -> int:
    """The bucket of a latency of at least SMALLEST_MS, by its natural logarithm."""
    return math.ceil(logarithm / LOG_GROWTH)


def middle_of(bucket: int) -> float:
    """The latency in milliseconds that stands for all in the bucket."""
    return 0.0 if bucket == ZERO_BUCKET else 2 * math.exp(bucket * LOG_GROWTH) / 2.02


def encode_sketch(counts: Mapping[int, int]) -> bytes:
    """A compact sketch: each bucket once, in order, except those with a count above MAX_COUNT."""
    entries = []
    for bucket in sorted(counts):
        place = (bucket - ZERO_BUCKET) << COUNT_BITS
        full, rest = divmod(counts[bucket], MAX_COUNT)
        entries += [place | MAX_COUNT] * full
        if rest:
            entries.append(place | rest)
    return struct.pack(f"<{len(entries)}I", *entries)


def decode_sketch(sketch: bytes) -> dict[int, int]:
    """Counts by bucket. Raises struct.error for bytes that are not whole entries."""
    counts: dict[int, int] = {}
    for (entry,) in _ENTRY.iter_unpack(sketch):
        bucket = (entry >> COUNT_BITS) + ZERO_BUCKET
        counts[bucket] = counts.get(bucket, 0) + (entry & MAX_COUNT)
    return counts


def compact(sketch: bytes) -> bytes:
    """The same histogram with each bucket once."""
    return encode_sketch(decode_sketch(sketch))


def sketch_of(latencies_ms: Iterable[float]) -> bytes:
    """The sketch of some latencies."""
    counts: dict[int, int] = {}
    for latency_ms in latencies_ms:
        bucket = bucket_of(latency_ms)
        counts[bucket] = counts.get(bucket, 0) + 1
    return encode_sketch(counts)

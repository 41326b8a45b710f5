"""A mergeable histogram of latencies whose quantiles are within 1 %.

Buckets grow by a factor of 1.02, as in DDSketch (Masson, Rim, Lee, VLDB 2019): bucket i holds the values in
(1.02^(i-1), 1.02^i], and its middle 2·1.02^i/(1.02+1) is within 0.02/2.02 = 0.99 % of each of them.

A sketch is a byte string of entries, each a bucket number (int16) and a count (uint32), little-endian, in any order;
a bucket may occur more than once. So two sketches are merged by putting one behind the other, which PostgreSQL does
with `||` and string_agg, and an entry list that grew long is compacted now and then.
"""

import math
import struct
from collections.abc import Iterable, Mapping

LOG_GROWTH = math.log(1.02)
ZERO_BUCKET = -32768
"""Latencies below a picosecond count as zero: they have no logarithm."""
SMALLEST_MS = 1e-9
COMPACT_ABOVE_BYTES = 4_080
"""Longer sketches are worth compacting: 680 entries span latencies from 1 ms to 11 minutes."""

_ENTRY = struct.Struct("<hI")
_MAX_COUNT = 2**32 - 1


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
    """A compact sketch: each bucket once, in order; a count over 32 bits takes several entries."""
    entries = bytearray()
    for bucket in sorted(counts):
        count = counts[bucket]
        while count > _MAX_COUNT:
            entries += _ENTRY.pack(bucket, _MAX_COUNT)
            count -= _MAX_COUNT
        entries += _ENTRY.pack(bucket, count)
    return bytes(entries)


def decode_sketch(sketch: bytes) -> dict[int, int]:
    """Counts by bucket. Raises struct.error for bytes that are not whole entries."""
    counts: dict[int, int] = {}
    for bucket, count in _ENTRY.iter_unpack(sketch):
        counts[bucket] = counts.get(bucket, 0) + count
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

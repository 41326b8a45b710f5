"""A mergeable histogram of latencies whose quantiles are within 1 %.

Buckets grow by a factor of 1.02, as in DDSketch (Masson, Rim, Lee, VLDB 2019): bucket i holds the values in
(1.02^(i-1), 1.02^i], and its middle 2·1.02^i/(1.02+1) is within 0.02/2.02 = 0.99 % of each of them.

A histogram is a byte string of entries in any order, each 32 bits, little-endian:

    bits 31 to 20  the bucket's number plus 2,048
    bit 19         0: the entry counts one bucket, and bits 18 to 0 are its count
                   1: it counts three in a row, and bits 5 to 0, 11 to 6 and 17 to 12 are their counts

A bucket may occur more than once. So two histograms are merged by putting one behind the other, which PostgreSQL does
with `||` and string_agg, and an entry list that grew long is compacted now and then.
"""

import math
import struct
from collections.abc import Mapping

LOG_GROWTH = math.log(1.02)
ZERO_BUCKET = -2_048
"""Latencies below a picosecond count as zero: they have no logarithm."""
SMALLEST_MS = 1e-9
COMPACT_ABOVE_BYTES = 2_720
"""Longer histograms are worth compacting: 680 entries span latencies from 1 ms to 11 minutes."""

BUCKET_SHIFT = 20
RUN = 1 << 19
"""The bit of an entry that counts three buckets: most do where some thousand events lie in some hundred buckets."""
MAX_COUNT = RUN - 1
"""Of an entry for one bucket; half a million events in one bucket take a second one."""
RUN_BITS = 6
MAX_RUN_COUNT = 2**RUN_BITS - 1
"""Of each bucket of a run."""
ENTRY_BYTES = 4
DAMAGE = b"?"
"""Behind whole entries: what stood there cannot be read any more, and must not look as if it had never been."""
_ENTRY = struct.Struct("<I")


def bucket_number(latency_ms: float) -> int:
    """The bucket of a latency from 0 to 1e12."""
    return bucket_number_of_logarithm(math.log(latency_ms)) if latency_ms >= SMALLEST_MS else ZERO_BUCKET


def bucket_number_of_logarithm(logarithm: float) -> int:
    """The bucket of a latency of at least SMALLEST_MS, by its natural logarithm."""
    return math.ceil(logarithm / LOG_GROWTH)


def middle_of(bucket: int) -> float:
    """The latency in milliseconds that stands for all in the bucket."""
    return 0.0 if bucket == ZERO_BUCKET else 2 * math.exp(bucket * LOG_GROWTH) / 2.02


def encode_histogram(counts: Mapping[int, int]) -> bytes:
    """Each bucket once, in order, except those with a count above MAX_COUNT. Counts are positive."""
    entries = []
    run_end = ZERO_BUCKET - 1
    for bucket in sorted(counts):
        count = counts[bucket]
        place = (bucket - ZERO_BUCKET) << BUCKET_SHIFT
        if count > MAX_RUN_COUNT:
            full, rest = divmod(count, MAX_COUNT)
            entries += [place | MAX_COUNT] * full
            if rest:
                entries.append(place | rest)
        elif bucket > run_end:
            second, third = counts.get(bucket + 1, 0), counts.get(bucket + 2, 0)
            run = (second if second <= MAX_RUN_COUNT else 0) | (third if third <= MAX_RUN_COUNT else 0) << RUN_BITS
            if run:
                run_end = bucket + 2
                count |= RUN | run << RUN_BITS
            entries.append(place | count)
    return struct.pack(f"<{len(entries)}I", *entries)


def decode_histogram(histogram: bytes) -> dict[int, int]:
    """Counts by bucket. Raises struct.error for bytes that are not whole entries."""
    counts: dict[int, int] = {}
    for (entry,) in _ENTRY.iter_unpack(histogram):
        bucket = (entry >> BUCKET_SHIFT) + ZERO_BUCKET
        shifts = (0, RUN_BITS, 2 * RUN_BITS) if entry & RUN else (0,)
        largest = MAX_RUN_COUNT if entry & RUN else MAX_COUNT
        for place, count in enumerate((entry >> shift & largest for shift in shifts), bucket):
            if count:
                counts[place] = counts.get(place, 0) + count
    return counts


def is_whole(histogram: bytes) -> bool:
    """Whether the bytes are whole entries. What is put behind others that are not can't be read any more."""
    return len(histogram) % ENTRY_BYTES == 0


def compact(histogram: bytes) -> bytes:
    """The same histogram with each bucket once."""
    return encode_histogram(decode_histogram(histogram))

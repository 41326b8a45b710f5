"""Percentiles of latency histograms.

A percentile is the value at nearest rank, as PostgreSQL's percentile_disc finds it: the ⌈p·n⌉-th smallest of n
latencies. A histogram knows the bucket in which that one lies, whose middle is within 1 % of it (below a femtosecond,
where latencies count as zero, within that).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from app.core.analytics.arrays import Floats, Integers, np
from app.core.rollups.latency_histogram import (
    BUCKET_SHIFT,
    MAX_COUNT,
    MAX_RUN_COUNT,
    RUN,
    RUN_BITS,
    SMALLEST_MS,
    ZERO_BUCKET,
    bucket_number,
    middle_of,
)

PERCENTILES = (50, 95, 99)

_ENTRY, _ENTRY_BYTES = "<u4", 4
BELOW_ALL_BUCKETS = bucket_number(SMALLEST_MS) - 1
# numpy takes as long for one short histogram as for a dozen, and twice as long for arrays that leave the cache.
_BATCH_HISTOGRAMS = 32
_BATCH_BYTES = 100_000


def percentiles_of(histograms: Sequence[bytes], percentiles: Sequence[int] = PERCENTILES) -> list[list[float]]:
    """These percentiles of each histogram, in milliseconds. None of them may be empty."""
    return [found for batch in _batches(histograms) for found in _percentiles(batch, percentiles)]


@dataclass(frozen=True, slots=True)
class DecodedHistograms:
    """Counts by bucket of several histograms, in any order; a bucket may occur more than once.

    `owner`: the position of the histogram. The bucket of zero is said to be the one below the smallest latency's.
    """

    owner: Integers
    bucket: Integers
    count: Floats


def decode_histograms(histograms: Sequence[bytes]) -> DecodedHistograms:
    entries = np.frombuffer(b"".join(histograms), _ENTRY)
    # The zero bucket's number lies far below all others; the one next to the smallest stands in for it.
    buckets = np.maximum((entries >> BUCKET_SHIFT).astype(np.intp) + ZERO_BUCKET, BELOW_ALL_BUCKETS)
    owners = np.repeat(np.arange(len(histograms)), [len(each) // _ENTRY_BYTES for each in histograms])
    runs = (entries & RUN).astype(bool)
    in_runs, run_owners, run_buckets = entries[runs], owners[runs], buckets[runs]
    counts = (
        entries & np.where(runs, MAX_RUN_COUNT, MAX_COUNT),
        in_runs >> RUN_BITS & MAX_RUN_COUNT,
        in_runs >> 2 * RUN_BITS & MAX_RUN_COUNT,
    )
    return DecodedHistograms(
        np.concatenate((owners, run_owners, run_owners)),
        np.concatenate((buckets, run_buckets + 1, run_buckets + 2)),
        np.concatenate(counts).astype(np.float64),
    )


def _percentiles(histograms: Sequence[bytes], percentiles: Sequence[int]) -> list[list[float]]:
    decoded = decode_histograms(histograms)
    lowest = int(decoded.bucket.min())
    width = int(decoded.bucket.max()) - lowest + 1
    places = decoded.owner * width + decoded.bucket - lowest
    counts = np.bincount(places, decoded.count, len(histograms) * width)
    running = counts.reshape(-1, width).cumsum(axis=1)
    ranks = [-(-running[:, -1:] * percentile // 100) for percentile in percentiles]
    found = np.column_stack([(running < rank).sum(axis=1) for rank in ranks]) + lowest
    return [[_middle_of(bucket) for bucket in row] for row in found.tolist()]


def _middle_of(bucket: int) -> float:
    return middle_of(ZERO_BUCKET if bucket == BELOW_ALL_BUCKETS else bucket)


def _batches(histograms: Sequence[bytes]) -> Iterator[Sequence[bytes]]:
    batch: list[bytes] = []
    size = 0
    for histogram in histograms:
        if batch and (len(batch) == _BATCH_HISTOGRAMS or size + len(histogram) > _BATCH_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(histogram)
        size += len(histogram)
    if batch:
        yield batch

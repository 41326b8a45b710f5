"""Percentiles of latency histograms.

A percentile is the value at nearest rank, as PostgreSQL's percentile_disc finds it: the ⌈p·n⌉-th smallest of n
latencies. A histogram knows the bucket in which that one lies, whose middle is within 1 % of it (below a femtosecond,
where latencies count as zero, within that).
"""

from collections.abc import Iterator, Sequence

import numpy as np

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

_ENTRY = np.dtype("<u4")
_BELOW_ALL_BUCKETS = bucket_number(SMALLEST_MS) - 1
# numpy takes as long for one short histogram as for a dozen, and twice as long for arrays that leave the cache.
_BATCH_HISTOGRAMS = 32
_BATCH_BYTES = 100_000


def percentiles_of(histograms: Sequence[bytes]) -> list[list[float]]:
    """The 50th, 95th and 99th percentile of each histogram, in milliseconds. None of them may be empty."""
    return [found for batch in _batches(histograms) for found in _percentiles(batch)]


def _percentiles(histograms: Sequence[bytes]) -> list[list[float]]:
    entries = np.frombuffer(b"".join(histograms), _ENTRY)
    # The zero bucket's number lies far below all others; the one next to the smallest stands in for it.
    buckets = np.maximum((entries >> BUCKET_SHIFT).astype(np.intp) + ZERO_BUCKET, _BELOW_ALL_BUCKETS)
    lowest = int(buckets.min())
    width = int(buckets.max()) - lowest + 3
    # One histogram behind the other, each with a place for every bucket, and for two that a run may have beyond.
    first_places = np.arange(len(histograms)) * width - lowest
    places = np.repeat(first_places, [len(histogram) // _ENTRY.itemsize for histogram in histograms]) + buckets
    total = len(histograms) * width
    runs = (entries & RUN).astype(bool)
    in_runs, run_places = entries[runs], places[runs]
    counts = np.bincount(places, weights=entries & np.where(runs, MAX_RUN_COUNT, MAX_COUNT), minlength=total)
    counts += np.bincount(run_places + 1, weights=in_runs >> RUN_BITS & MAX_RUN_COUNT, minlength=total)
    counts += np.bincount(run_places + 2, weights=in_runs >> 2 * RUN_BITS & MAX_RUN_COUNT, minlength=total)
    running = counts.reshape(-1, width).cumsum(axis=1)
    ranks = [-(-running[:, -1:] * percentile // 100) for percentile in PERCENTILES]
    found = np.column_stack([(running < rank).sum(axis=1) for rank in ranks]) + lowest
    return [[_middle_of(bucket) for bucket in row] for row in found.tolist()]


def _middle_of(bucket: int) -> float:
    return middle_of(ZERO_BUCKET if bucket == _BELOW_ALL_BUCKETS else bucket)


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

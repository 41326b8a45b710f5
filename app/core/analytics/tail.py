"""The 95th percentile of latency of two versions: users feel a slower tail before the mean shows it.

How many latencies lie below the true percentile is counted exactly, so the count's confidence sequence, turned into
latencies, is one of the percentile (Howard and Ramdas, Bernoulli 28, 2022): from the value at p - c to that at p + c,

    c = z·√(p(1 - p)·Σ wₕ²/nₕ)

with the hours' weights w of `app.core.analytics.strata`, and its number z of standard errors. Two such intervals make
one of the ratio by the square-and-add rule of Zou and Donner (Statistics in Medicine 27, 2008). Buckets of the
histogram are 2 % wide; the intervals of the versions reach to the edges of theirs.
"""

import math
from typing import NamedTuple

import numpy as np

from app.core.analytics.confidence import Interval
from app.core.analytics.percentiles import BELOW_ALL_BUCKETS, DecodedHistograms, Floats, Integers
from app.core.analytics.strata import Contrast
from app.core.rollups.latency_histogram import LOG_GROWTH

P = 0.95


class Tail(NamedTuple):
    """The latencies of one version: histograms, and the stratum of each."""

    histograms: DecodedHistograms
    stratum: Integers


class _Percentile(NamedTuple):
    """The logarithm of a percentile, and its confidence sequence."""

    value: float
    low: float
    high: float


def tail_contrast(baseline: Tail, candidate: Tail, latency: Contrast) -> Interval | None:
    """The logarithm of the ratio of the two percentiles, candidate to baseline.

    `latency`: what the means said of the same events, for the weights and for how far to reach. None where there are no
    latencies, or where most are zero. An end that the events can't tell yet is infinite.
    """
    old, new = (_percentile(each, latency) for each in (baseline, candidate))
    if old is None or new is None:
        return None
    return Interval(
        new.value - old.value,
        new.value - old.value - math.hypot(new.value - new.low, old.high - old.value),
        new.value - old.value + math.hypot(new.high - new.value, old.value - old.low),
        latency.interval.events,
    )


def _percentile(tail: Tail, latency: Contrast) -> _Percentile | None:
    histograms, strata = tail.histograms, tail.stratum[tail.histograms.owner]
    counts = np.bincount(strata, histograms.count, len(latency.weights))
    per_value = latency.weights / np.maximum(counts, 1)
    lowest = int(histograms.bucket.min(initial=0))
    shares = np.bincount(histograms.bucket - lowest, per_value[strata] * histograms.count)
    running = shares.cumsum()
    if not len(running) or running[-1] <= 0:
        return None
    running /= running[-1]
    reach = latency.standard_errors * math.sqrt(P * (1 - P) * float(per_value @ latency.weights))
    bucket = int(np.searchsorted(running, P))
    if lowest + bucket <= BELOW_ALL_BUCKETS:
        return None
    return _Percentile(
        _logarithm(running, bucket, lowest),
        LOG_GROWTH * (lowest + int(np.searchsorted(running, P - reach)) - 1) if reach < P else -math.inf,
        LOG_GROWTH * (lowest + int(np.searchsorted(running, P + reach))) if reach < 1 - P else math.inf,
    )


def _logarithm(running: Floats, bucket: int, lowest: int) -> float:
    """Of the percentile in a bucket, as if the bucket were filled evenly."""
    below = float(running[bucket - 1]) if bucket else 0.0
    return LOG_GROWTH * (lowest + bucket - 1 + (P - below) / (float(running[bucket]) - below))

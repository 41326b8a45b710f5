"""The 95th percentile of latency of two versions: users feel a slower tail before the mean shows it.

How many latencies lie below the true percentile is counted exactly, so the count's confidence sequence, turned into
latencies, is one of the percentile (Howard and Ramdas, Bernoulli 28, 2022): from the value at p - c to that at p + c,

    c = z·√(p(1 - p)·Σ wₕ²/nₕ)

with the hours' weights w of `app.core.analytics.strata`, and its number z of standard errors. Two such intervals make
one of the ratio by the square-and-add rule of Zou and Donner (Statistics in Medicine 27, 2008). Buckets of the
histogram are 2 % wide; the intervals of the versions reach to the edges of theirs.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from app.core.analytics.arrays import Floats, Integers, np
from app.core.analytics.confidence import Interval
from app.core.analytics.percentiles import BELOW_ALL_BUCKETS, DecodedHistograms
from app.core.analytics.strata import Contrast
from app.core.rollups.latency_histogram import LOG_GROWTH

P = 0.95


class Tail(NamedTuple):
    """The latencies of one version: histograms, and the stratum of each."""

    histograms: DecodedHistograms
    stratum: Integers


class _Distribution(NamedTuple):
    """Which share of latencies lies below the upper end of each bucket, and how uncertain the one at P is.

    `running`: from the bucket `lowest` on. `reach`: how far the share that lies below the true percentile may be off P.
    """

    running: Floats
    lowest: int
    reach: float


@dataclass(frozen=True, slots=True)
class TailInterval(Interval):
    """One of percentiles, whose ends come out of the distributions and may so be infinite for now."""

    distributions: tuple[_Distribution, ...] = field(kw_only=True, compare=False, repr=False)

    @property
    def percentiles(self) -> tuple[float, float]:
        """Of baseline and candidate, in milliseconds."""
        baseline, candidate = (math.exp(_percentile(each).value) for each in self.distributions)
        return baseline, candidate

    def after(self, events: float, alpha: float) -> Interval:
        narrower = self.narrower(events, alpha)
        return _ratio([each._replace(reach=each.reach * narrower) for each in self.distributions], self, events)


class _Percentile(NamedTuple):
    """The logarithm of a percentile, and its confidence sequence."""

    value: float
    low: float
    high: float


def tail_contrast(baseline: Tail, candidate: Tail, latency: Contrast) -> TailInterval | None:
    """The logarithm of the ratio of the two percentiles, candidate to baseline.

    `latency`: what the means said of the same events, for the weights and for how far to reach. None where there are no
    latencies, or where most are zero. An end that the events can't tell yet is infinite. An hour whose histogram is
    damaged counts for neither version.
    """
    counts = [_counts(tail, len(latency.weights)) for tail in (baseline, candidate)]
    weights = np.where((counts[0] > 0) & (counts[1] > 0), latency.weights, 0)
    if not weights.any():
        return None
    weights /= weights.sum()
    distributions = []
    for tail, count in zip((baseline, candidate), counts, strict=True):
        found = _distribution(tail, count, weights, latency.standard_errors)
        if found is None:
            return None
        distributions.append(found)
    return _ratio(distributions, latency.interval, latency.interval.events)


def _ratio(distributions: Sequence[_Distribution], latency: Interval, events: float) -> TailInterval:
    old, new = (_percentile(each) for each in distributions)
    estimate = new.value - old.value
    return TailInterval(
        estimate,
        estimate - math.hypot(new.value - new.low, old.high - old.value),
        estimate + math.hypot(new.high - new.value, old.value - old.low),
        events,
        latency.days and latency.days * events / latency.events,
        distributions=tuple(distributions),
    )


def _counts(tail: Tail, strata: int) -> Floats:
    of_pieces = np.bincount(tail.histograms.owner, tail.histograms.count, len(tail.stratum))
    return np.bincount(tail.stratum, of_pieces, strata).astype(np.float64, copy=False)


def _distribution(tail: Tail, counts: Floats, weights: Floats, standard_errors: float) -> _Distribution | None:
    """None where the percentile is zero."""
    histograms = tail.histograms
    per_value = weights / np.maximum(counts, 1)
    lowest = int(histograms.bucket.min(initial=0))
    shares = np.bincount(histograms.bucket - lowest, per_value[tail.stratum][histograms.owner] * histograms.count)
    running = shares.cumsum()
    running /= running[-1]
    if lowest + int(np.searchsorted(running, P)) <= BELOW_ALL_BUCKETS:
        return None
    reach = standard_errors * math.sqrt(P * (1 - P) * float(per_value @ weights))
    return _Distribution(running, lowest, reach)


def _percentile(distribution: _Distribution) -> _Percentile:
    running, lowest, reach = distribution
    return _Percentile(
        _logarithm(running, int(np.searchsorted(running, P)), lowest),
        LOG_GROWTH * (lowest + int(np.searchsorted(running, P - reach)) - 1) if reach < P else -math.inf,
        LOG_GROWTH * (lowest + int(np.searchsorted(running, P + reach))) if reach < 1 - P else math.inf,
    )


def _logarithm(running: Floats, bucket: int, lowest: int) -> float:
    """Of the percentile in a bucket, as if the bucket were filled evenly."""
    below = float(running[bucket - 1]) if bucket else 0.0
    return LOG_GROWTH * (lowest + bucket - 1 + (P - below) / (float(running[bucket]) - below))

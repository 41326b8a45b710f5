"""At which looks at two versions side by side something could be claimed at all.

An interval of the product never is narrower than that of independent events, and theirs can be had for all looks at
once: of hours that are over everything is known, and only the hour of the look is still growing. So the product itself
is asked only at the looks where one of these narrower intervals leaves the truth out, and at some others, to see that
none was missed.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from app.core.analytics.arrays import Floats, Integers
from app.core.analytics.comparison import MeasureName
from app.core.analytics.confidence import multiplier
from app.core.analytics.decision import FEWEST_EVENTS
from app.core.analytics.evidence import HOUR_SECONDS
from app.core.analytics.tail import P
from app.core.rollups.latency_histogram import LOG_GROWTH
from truth.events import Events

Truth = dict[MeasureName, float]
SLACK = 1e-6
"""Of the width: sums in another order end in other digits."""


@dataclass(frozen=True, slots=True)
class _Grid:
    """Looks and hours: `hour` that is growing at each look, and where in the events hours begin."""

    looks: Integers
    hour: Integers
    begins: Integers
    versions: tuple[Floats, Floats]

    def by_hour(self, values: Floats) -> tuple[Floats, Floats]:
        """Sums of the whole hours, and of what each look knows of its hour."""
        running = np.concatenate((np.zeros((1, *values.shape[1:])), values.cumsum(axis=0)))
        return np.diff(running[self.begins], axis=0), running[self.looks] - running[self.begins[self.hour]]

    def until(self, whole: Floats, growing: Floats) -> Floats:
        """Sums over the hours that each look knows."""
        before = np.concatenate((np.zeros((1, *whole.shape[1:])), whole.cumsum(axis=0)))
        return np.asarray(before[self.hour] + growing, np.float64)


def may_exclude(events: Events, looks: Integers, truth: Truth, alpha: float) -> npt.NDArray[np.bool_]:
    """Whether at a look, after so many events, some interval may leave the truth out."""
    start = int(events.seconds[np.argmax(events.version == 1)]) // HOUR_SECONDS
    first = int(np.searchsorted(events.seconds, start * HOUR_SECONDS))
    hours = events.seconds // HOUR_SECONDS - start
    begins = np.searchsorted(hours, np.arange(int(hours[-1]) + 2))
    versions = (events.version == 0).astype(np.float64), (events.version == 1).astype(np.float64)
    grid = _Grid(np.maximum(looks, first + 1), hours[np.maximum(looks, first + 1) - 1], begins, versions)
    counts = [grid.by_hour(each) for each in versions]
    known = np.minimum(*(grid.until(*each) for each in counts)) >= FEWEST_EVENTS
    times = np.maximum(4 * grid.until(*(_weight(*pair) for pair in zip(*counts, strict=True))), 1)
    normal = np.array([multiplier(float(each), alpha) for each in times])
    found = np.zeros(len(looks), np.bool_)
    for measure, values in events.values.items():
        found |= _mean_excludes(grid, values, normal, truth[measure], is_ratio=measure == "cost_usd")
    return known & (found | _tail_excludes(grid, events.bucket, normal, truth["latency_p95_ms"]))


def _weight(one: Floats, two: Floats) -> Floats:
    return one * two / np.maximum(one + two, 1)


def _mean_excludes(
    grid: _Grid, values: Floats, normal: Floats, truth: float, *, is_ratio: bool
) -> npt.NDArray[np.bool_]:
    moments = [[grid.by_hour(each * values**power) for power in range(3)] for each in grid.versions]
    terms = [_terms(*([each[part] for each in version] for version in moments)) for part in (0, 1)]
    total = grid.until(*terms)
    weight = np.maximum(total[:, 0], 1e-9)
    means = total[:, 1] / weight, total[:, 2] / weight
    variance = np.zeros(len(weight))
    for mean, at in zip(means, (3, 8), strict=True):
        count, sums, deviation, squares, scaled = total[:, at : at + 5].T
        overall = (deviation - sums**2 / np.maximum(count, 1)) / np.maximum(count - 1, 1)
        variance += (scaled + squares * overall) / weight**2 / (mean**2 if is_ratio else 1)
    with np.errstate(divide="ignore", invalid="ignore"):
        estimate = np.log(means[1] / means[0]) if is_ratio else means[1] - means[0]
        return np.asarray(np.abs(estimate - truth) > normal * np.sqrt(variance) * (1 - SLACK), np.bool_)


def _terms(baseline: list[Floats], candidate: list[Floats]) -> Floats:
    """What adds up over hours: weights, weighted means, and of each version what its variance takes.

    Each version by counts, sums and sums of squares.
    """
    (n0, s0, _), (n1, s1, _) = baseline, candidate
    weight = _weight(n0, n1)
    both = weight > 0
    columns = [weight, weight * s0 / np.maximum(n0, 1), weight * s1 / np.maximum(n1, 1)]
    for count, sums, squares in (baseline, candidate):
        per_value = weight / np.maximum(count, 1)
        deviation = np.maximum(squares - sums**2 / np.maximum(count, 1), 0)
        columns += [both * count, both * sums, both * squares, per_value**2, per_value**2 * deviation]
    return np.stack(columns, axis=-1)


def _tail_excludes(grid: _Grid, bucket: Integers, normal: Floats, truth: float) -> npt.NDArray[np.bool_]:
    """All latencies below the median count as one bucket: an end that is in it is taken to be nearer than it is."""
    ends = []
    counts = [grid.by_hour(each) for each in grid.versions]
    total = np.maximum(grid.until(*(_weight(*pair) for pair in zip(*counts, strict=True))), 1e-9)
    bucket = np.maximum(bucket, int(np.median(bucket)))
    lowest, width = int(bucket.min()), int(np.ptp(bucket)) + 1
    for own, (whole, growing), others in zip(grid.versions, counts, counts[::-1], strict=True):
        per_value = [_weight(*pair) / np.maximum(pair[0], 1) for pair in zip((whole, growing), others, strict=True)]
        squares = grid.until(per_value[0] ** 2 * whole, per_value[1] ** 2 * growing)
        reach = normal * np.sqrt(P * (1 - P) * squares) / total
        ends.append(_percentile(_shares(grid, own, bucket - lowest, width, per_value), reach, lowest))
    (old, old_low, old_high), (new, new_low, new_high) = ends
    estimate = new - old
    low, high = estimate - np.hypot(new - new_low, old_high - old), estimate + np.hypot(new_high - new, old - old_low)
    slack = SLACK * np.where(np.isfinite(high - low), high - low, 0)
    return np.asarray((low + slack > truth) | (high - slack < truth) | np.isnan(estimate), np.bool_)


def _shares(grid: _Grid, own: Floats, bucket: Integers, width: int, per_value: list[Floats]) -> Floats:
    """The share of a version's weighted latencies up to each bucket, look by look."""
    spots = np.concatenate((grid.looks, grid.begins))
    order = np.argsort(spots, kind="stable")
    piece = np.searchsorted(spots[order], np.arange(len(bucket)), side="right")
    counted = np.bincount(piece * width + bucket, own, (len(spots) + 1) * width).reshape(-1, width).cumsum(axis=0)
    until = np.empty((len(spots), width))
    until[order] = counted[:-1]
    looks, begins = until[: len(grid.looks)], until[len(grid.looks) :]
    whole = per_value[0][:, None] * np.diff(begins, axis=0)
    running = grid.until(whole, per_value[1][:, None] * (looks - begins[grid.hour])).cumsum(axis=1)
    return np.asarray(running / np.maximum(running[:, -1:], 1e-12), np.float64)


def _percentile(running: Floats, reach: Floats, lowest: int) -> tuple[Floats, Floats, Floats]:
    """The logarithm of the percentile, NaN where it is in the lowest bucket, and the ends of its interval."""
    rows = np.arange(len(running))
    bucket = (running < P).sum(axis=1)
    at, below = running[rows, bucket], np.where(bucket > 0, running[rows, np.maximum(bucket, 1) - 1], 0)
    value = LOG_GROWTH * (lowest + bucket - 1 + (P - below) / np.maximum(at - below, 1e-12))
    low = LOG_GROWTH * (lowest + (running < (P - reach + SLACK)[:, None]).sum(axis=1) - 1)
    high = LOG_GROWTH * (lowest + (running < (P + reach - SLACK)[:, None]).sum(axis=1))
    value = np.where(bucket > 0, value, np.nan)
    return value, np.where(reach < P, low, -np.inf), np.where(reach < 1 - P, high, np.inf)

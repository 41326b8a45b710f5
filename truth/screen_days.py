"""The same as `truth.screen` for versions that followed one another, looked at at the end of each hour.

The days before the change are known from the beginning, and each hour adds to one stratum of those after it.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from app.core.analytics.arrays import Floats, Integers
from app.core.analytics.confidence import multiplier
from app.core.analytics.decision import FEWEST_EVENTS
from app.core.analytics.evidence import HOUR_SECONDS, MEASURES
from app.core.analytics.tail import P
from app.core.rollups.latency_histogram import LOG_GROWTH
from truth.events import Events
from truth.screen import SLACK, Truth

DAY_HOURS, WEEK_HOURS = 24, 168
IS_RATIO = np.array([measure == "cost_usd" for measure in MEASURES])


@dataclass(frozen=True, slots=True)
class _Strata:
    """Of one version, by hours of the day or week: counts, sums and squares of measures, and latencies by bucket."""

    count: Floats
    sums: Floats
    squares: Floats
    buckets: Floats


def may_exclude_by_days(
    events: Events, looks: Integers, truth: Truth, alpha: float, switch_seconds: int
) -> npt.NDArray[np.bool_]:
    """Whether at a look, after so many events, some interval may leave the truth out."""
    hour = events.seconds // HOUR_SECONDS
    hours = _by_hour(events, hour - hour[0], int(hour[-1] - hour[0]) + 1)
    change = switch_seconds // HOUR_SECONDS - int(hour[0])
    possible = np.zeros(len(looks), np.bool_)
    lengths = hour[looks - 1] - hour[0] - change
    known, seen = (0, 0), 0
    before = after = _sum(hours, 0, 0, int(hour[0]), 1)
    for at, length in enumerate(lengths.tolist()):
        period = WEEK_HOURS if length > WEEK_HOURS else DAY_HOURS
        span = period * max(1, -(-length // period))
        strata = WEEK_HOURS if max(length - 1, span - 1) >= WEEK_HOURS else DAY_HOURS
        if known != (span, strata):
            before, known, seen = _sum(hours, change - span, change, int(hour[0]), strata), (span, strata), 0
        fresh = _sum(hours, change + 1 + seen, change + length + 1, int(hour[0]), strata)
        after, seen = fresh if not seen else _together(after, fresh), length
        if min(before.count.sum(), after.count.sum()) >= FEWEST_EVENTS:
            possible[at] = _excludes(before, after, truth, alpha, int(events.bucket.min()))
    return possible


def _by_hour(events: Events, hour: Integers, hours: int) -> _Strata:
    lowest, width = int(events.bucket.min()), int(np.ptp(events.bucket)) + 1
    values = [events.values[measure] for measure in MEASURES]
    return _Strata(
        np.bincount(hour, minlength=hours).astype(np.float64),
        np.stack([np.bincount(hour, each, hours) for each in values]),
        np.stack([np.bincount(hour, each**2, hours) for each in values]),
        np.bincount(hour * width + events.bucket - lowest, minlength=hours * width).reshape(hours, width).astype(float),
    )


def _sum(hours: _Strata, start: int, end: int, first: int, strata: int) -> _Strata:
    """The hours of a stretch, folded to strata."""
    head = (first + start) % strata
    size = -(-(head + end - start) // strata) * strata

    def fold(values: Floats) -> Floats:
        padded = np.zeros((*values.shape[:-1], size))
        padded[..., head : head + end - start] = values[..., start:end]
        return np.asarray(padded.reshape(*values.shape[:-1], -1, strata).sum(axis=-2), np.float64)

    return _Strata(fold(hours.count), fold(hours.sums), fold(hours.squares), fold(hours.buckets.T).T)


def _together(one: _Strata, two: _Strata) -> _Strata:
    return _Strata(one.count + two.count, one.sums + two.sums, one.squares + two.squares, one.buckets + two.buckets)


def _excludes(before: _Strata, after: _Strata, truth: Truth, alpha: float, lowest: int) -> bool:
    counts = before.count, after.count
    weights = counts[0] * counts[1] / np.maximum(counts[0] + counts[1], 1)
    total = float(weights.sum())
    if total <= 0:
        return False
    normal = multiplier(4 * total, alpha)
    weights = weights / total
    both = weights > 0
    means, variances = [], []
    for each in (before, after):
        count = np.maximum(each.count, 1)
        mean = (each.sums / count) @ weights
        deviation = each.squares - each.sums**2 / count
        held = each.count[both].sum()
        overall = each.squares[:, both].sum(axis=1) - each.sums[:, both].sum(axis=1) ** 2 / held
        spread = (weights / count) ** 2
        means.append(mean)
        variance = deviation @ spread + spread.sum() * overall / max(held - 1, 1)
        variances.append(variance / np.where(IS_RATIO, mean**2, 1))
    estimate = np.where(IS_RATIO, np.log(np.abs(means[1] / means[0])), means[1] - means[0])
    reach = normal * np.sqrt(variances[0] + variances[1]) * (1 - SLACK)
    if (np.abs(estimate - [truth[measure] for measure in MEASURES]) > reach).any():
        return True
    old, new = (_percentile(each, weights, normal, lowest) for each in (before, after))
    low = new[0] - old[0] - np.hypot(new[0] - new[1], old[2] - old[0])
    high = new[0] - old[0] + np.hypot(new[2] - new[0], old[0] - old[1])
    return bool(low + SLACK > truth["latency_p95_ms"] or high - SLACK < truth["latency_p95_ms"])


def _percentile(strata: _Strata, weights: Floats, normal: float, lowest: int) -> tuple[float, float, float]:
    per_value = weights / np.maximum(strata.count, 1)
    running = (per_value @ strata.buckets).cumsum()
    running /= running[-1]
    reach = normal * float(np.sqrt(P * (1 - P) * (per_value @ weights)))
    bucket = int(np.searchsorted(running, P))
    below = float(running[bucket - 1]) if bucket else 0.0
    low, high = (int(np.searchsorted(running, each)) for each in (P - reach + SLACK, P + reach - SLACK))
    return (
        LOG_GROWTH * (lowest + bucket - 1 + (P - below) / (float(running[bucket]) - below)),
        LOG_GROWTH * (lowest + low - 1) if reach < P else -np.inf,
        LOG_GROWTH * (lowest + high) if reach < 1 - P else np.inf,
    )

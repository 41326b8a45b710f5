"""The difference of two versions, hour by hour.

An hour with much load is slower for both versions. Where one of them has more of its events in such hours, pooling
blames it for that. So means are compared within strata (the hours that both have, or the hours of the day before and
after a change) and then averaged, each stratum with the weight n₁n₂/(n₁ + n₂), which makes the error smallest.

The standard error is that of independent events. Where blocks of time scatter more than independent events would, as
retries and sessions that come in bunches make them do, it is widened by as much.

Values that have all been equal so far are no proof that the next one is, too: of n values without a failure, the rate
of failures is still known to about 1/n only (Hanley and Lippman-Hand, "If nothing goes wrong, is everything all
right?", JAMA 249, 1983). So it is as if one of them had been different.
"""

import math
from dataclasses import dataclass
from typing import NamedTuple

from app.core.analytics.arrays import Booleans, Floats, Integers, np
from app.core.analytics.confidence import FEWEST_DAYS, Interval, multiplier, student

_ROUNDING = 1e-12
TRUSTED_BLOCKS = 20
TRUSTED_SCATTER = 1.5
"""Side by side, what is believed before any block was seen is that their variance is so many times that of independent
events, as if so many blocks had shown it. So a few bunches early on claim nothing, and later it hardly matters. Chosen
by `make truth`: less lets retries claim what is chance, more takes too many events."""


@dataclass(frozen=True, slots=True)
class Cells:
    """A measure of one version, by pieces of time: the number of values, their mean and the sum of squared deviations.

    `stratum` and `block` number what a piece belongs to. All are arrays of one length.
    """

    stratum: Integers
    block: Integers
    count: Floats
    mean: Floats
    deviation: Floats


class Pair(NamedTuple):
    """Two versions, cell by cell. `strata` and `blocks`: how many there are. `paired`: as `Contrast` says."""

    baseline: Cells
    candidate: Cells
    strata: int
    blocks: int


@dataclass(frozen=True, slots=True)
class Contrast:
    """What the candidate has more than the baseline: the difference of means, or the logarithm of their ratio.

    `counts`: values of baseline and candidate within common strata; `weights`: of the strata, adding up to 1; `means`:
    over the strata, by these. `standard_errors`: by how many of those of independent events the interval reaches to
    either side.
    """

    interval: Interval
    counts: tuple[int, int]
    means: tuple[float, float]
    weights: Floats
    standard_errors: float


@dataclass(frozen=True, slots=True)
class _Arm:
    """A version by strata."""

    count: Floats
    mean: Floats
    deviation: Floats


def contrast(
    pair: Pair, *, alpha: float, is_ratio: bool, days_apart: bool, unseen: float | None = None
) -> Contrast | None:
    """None where no stratum is common, or where a ratio would have a mean of 0.

    `unseen`: how far off a value may be where all that were seen are equal; as far as 0 where it is None.

    `days_apart`: the versions followed one another, and the blocks are days. What a day brings does not cancel then, so
    only the scatter of days counts, as far as it is known from so few.
    """
    arms = _arm(pair.baseline, pair.strata), _arm(pair.candidate, pair.strata)
    both = (arms[0].count > 0) & (arms[1].count > 0)
    if not both.any():
        return None
    weights = np.where(both, arms[0].count * arms[1].count / np.maximum(arms[0].count + arms[1].count, 1), 0)
    events = 4 * float(weights.sum())
    weights /= weights.sum()
    means = float(weights @ arms[0].mean), float(weights @ arms[1].mean)
    if is_ratio and min(means) <= 0:
        return None
    scales = (1 / means[0], 1 / means[1]) if is_ratio else (1.0, 1.0)
    estimate = math.log(means[1] / means[0]) if is_ratio else means[1] - means[0]
    coefficients = [scale * weights / np.maximum(arm.count, 1) for scale, arm in zip(scales, arms, strict=True)]
    variances = [_variance(arm, each, both, unseen) for arm, each in zip(arms, coefficients, strict=True)]
    variance = sum(each.value for each in variances)
    scatter = _scatter(pair, arms, coefficients, means, is_ratio=is_ratio)
    reach, days = _reach(variance, scatter, multiplier(events, alpha), days_apart=days_apart)
    counts = int(arms[0].count[both].sum()), int(arms[1].count[both].sum())
    of_unseen = sum(each.value for each in variances if each.is_unseen) / variance if variance and days is None else 0.0
    interval = Interval(estimate, estimate - reach, estimate + reach, events, days, of_unseen)
    return Contrast(
        interval, counts, means, weights, reach / math.sqrt(variance) if variance else multiplier(events, alpha)
    )


def _arm(cells: Cells, strata: int) -> _Arm:
    count = _by_stratum(cells.stratum, cells.count, strata)
    mean = _by_stratum(cells.stratum, cells.count * cells.mean, strata) / np.maximum(count, 1)
    between = cells.count * (cells.mean - mean[cells.stratum]) ** 2
    return _Arm(count, mean, _by_stratum(cells.stratum, cells.deviation + between, strata))


def _by_stratum(numbers: Integers, values: Floats, strata: int) -> Floats:
    return np.bincount(numbers, values, strata).astype(np.float64, copy=False)


class _Variance(NamedTuple):
    """Of a weighted mean. `is_unseen`: all values are equal, and it is that of one which would not be."""

    value: float
    is_unseen: bool


def _variance(arm: _Arm, coefficients: Floats, both: Booleans, unseen: float | None) -> _Variance:
    """A stratum of few values is helped by one as far off as all values are from theirs."""
    count = arm.count[both]
    mean = count @ arm.mean[both] / count.sum()
    deviation = arm.deviation[both].sum() + count @ (arm.mean[both] - mean) ** 2
    if deviation <= _ROUNDING * mean**2 * count.sum():
        off = mean if unseen is None else unseen
        return _Variance(float(coefficients[both] ** 2 @ count) * off**2 / float(count.sum()), is_unseen=True)
    overall = deviation / max(count.sum() - 1, 1)
    return _Variance(float(coefficients[both] ** 2 @ (arm.deviation[both] + overall)), is_unseen=False)


class _Scatter(NamedTuple):
    """The variance of the difference as the blocks of time show it, and how many they are."""

    variance: float
    blocks: int


def _scatter(
    pair: Pair, arms: tuple[_Arm, _Arm], coefficients: list[Floats], means: tuple[float, float], *, is_ratio: bool
) -> _Scatter:
    """From what is left of each block when strata and the difference itself are taken out."""
    baseline, candidate = arms
    total = np.maximum(baseline.count + candidate.count, 1)
    if is_ratio:
        ratio = means[1] / means[0]
        expected = (baseline.count * baseline.mean + candidate.count * candidate.mean / ratio) / total
        levels = expected, expected * ratio
    else:
        more = means[1] - means[0]
        expected = (baseline.count * baseline.mean + candidate.count * (candidate.mean - more)) / total
        levels = expected, expected + more
    rests = np.zeros(pair.blocks)
    seen = np.zeros(pair.blocks)
    for sign, cells, level, coefficient in zip((-1, 1), pair[:2], levels, coefficients, strict=True):
        share = coefficient[cells.stratum] * cells.count
        rests += sign * np.bincount(cells.block, share * (cells.mean - level[cells.stratum]), pair.blocks)
        seen += np.bincount(cells.block, share, pair.blocks)
    blocks = int(np.count_nonzero(seen))
    return _Scatter(float(rests @ rests) * blocks / max(blocks - 1, 1), blocks)


def _reach(variance: float, scatter: _Scatter, normal: float, *, days_apart: bool) -> tuple[float, int | None]:
    """How far the interval reaches to either side, and how many days tell so, where they do."""
    independent = normal * math.sqrt(variance)
    if days_apart:
        if scatter.blocks < FEWEST_DAYS:
            return math.inf, scatter.blocks
        by_days = student(normal, scatter.blocks - 1) * math.sqrt(scatter.variance)
        return (by_days, scatter.blocks) if by_days > independent else (independent, None)
    degrees = scatter.blocks - 1
    trusted = TRUSTED_BLOCKS * TRUSTED_SCATTER * variance
    believed = (trusted + degrees * scatter.variance) / (TRUSTED_BLOCKS + degrees)
    return max(independent, student(normal, TRUSTED_BLOCKS + degrees) * math.sqrt(believed)), None

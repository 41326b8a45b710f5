"""Whether one version of a prompt is really cheaper, faster or better than another, or whether that may be chance.

Each measure is compared by Welch's t-test (B. L. Welch, Biometrika 34, 1947), which allows the two versions to vary
differently. With means m₁, m₂, sample variances s₁², s₂² and numbers of events n₁, n₂, the 95 % confidence interval of
the difference is

    (m₂ - m₁) ± t(0.975, d) · √(s₁²/n₁ + s₂²/n₂)

with the degrees of freedom of Welch and Satterthwaite

    d = (s₁²/n₁ + s₂²/n₂)² / ((s₁²/n₁)²/(n₁-1) + (s₂²/n₂)²/(n₂-1)).

Latencies are skewed, so their natural logarithms are compared: the difference of means of logarithms is the logarithm
of the ratio of geometric means, which is what "8 % slower" says. Sums and sums of squares come from the rollups.
"""

import math
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from statistics import NormalDist
from typing import Literal

FEWEST_EVENTS = 30
"""Below so many events of a version, nothing is said about it."""

_NORMAL_QUANTILE = NormalDist().inv_cdf(0.975)

Verdict = Literal["too few", "no clear difference", "lower", "higher"]


@dataclass(frozen=True, slots=True)
class Sample:
    """What a comparison needs to know of a measure of one version; `variance` is that of the sample (n - 1)."""

    count: int
    mean: float
    variance: float


@dataclass(frozen=True, slots=True)
class Difference:
    """How the newer version differs from the older one, and the 95 % confidence interval of that.

    In the measure's own unit, or, where `relative`, as a share: 0.08 is 8 % more. None where there are too few events,
    or where there is no share because the older mean is 0.
    """

    verdict: Verdict
    estimate: float | None = None
    low: float | None = None
    high: float | None = None


TOO_FEW = Difference("too few")


def sample(count: int, total: Decimal | float | None, sum_squares: Decimal | float) -> Sample:
    """A sample from sums; `total` is None where nothing was counted.

    Calculates exactly: where values are large and alike, floats would lose all of the variance. Sums that were rounded
    may leave one a little below zero, which counts as zero.
    """
    if total is None or count == 0:
        return Sample(0, 0.0, 0.0)
    mean = Fraction(total) / count
    variance = (Fraction(sum_squares) - mean * Fraction(total)) / (count - 1) if count > 1 else 0
    return Sample(count, float(mean), max(0.0, float(variance)))


def compare_means(older: Sample, newer: Sample, *, relative: bool = False) -> Difference:
    """The difference of the means; where `relative`, as a share of the older mean."""
    if min(older.count, newer.count) < FEWEST_EVENTS:
        return TOO_FEW
    estimate, low, high = _welch(older, newer)
    verdict = _verdict(low, high)
    if not relative:
        return Difference(verdict, estimate, low, high)
    if older.mean == 0:
        return Difference(verdict)
    return Difference(verdict, estimate / older.mean, low / older.mean, high / older.mean)


def compare_logarithms(older: Sample, newer: Sample) -> Difference:
    """The ratio of the geometric means less 1, from samples of natural logarithms."""
    if min(older.count, newer.count) < FEWEST_EVENTS:
        return TOO_FEW
    estimate, low, high = _welch(older, newer)
    return Difference(_verdict(low, high), _ratio(estimate), _ratio(low), _ratio(high))


def t_quantile(degrees_of_freedom: float) -> float:
    """The 97.5 % quantile of Student's t, for at least FEWEST_EVENTS - 1 degrees of freedom, to four digits.

    By the expansion of Cornish and Fisher (Abramowitz and Stegun, 26.7.5).
    """
    z = _NORMAL_QUANTILE
    first = (z**3 + z) / 4
    second = (5 * z**5 + 16 * z**3 + 3 * z) / 96
    third = (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384
    return z + first / degrees_of_freedom + second / degrees_of_freedom**2 + third / degrees_of_freedom**3


def _welch(older: Sample, newer: Sample) -> tuple[float, float, float]:
    estimate = newer.mean - older.mean
    errors = [each.variance / each.count for each in (older, newer)]
    squared_error = sum(errors)
    if squared_error == 0:
        return estimate, estimate, estimate
    shares = (
        (error / squared_error) ** 2 / (each.count - 1) for error, each in zip(errors, (older, newer), strict=True)
    )
    margin = t_quantile(1 / sum(shares)) * math.sqrt(squared_error)
    return estimate, estimate - margin, estimate + margin


def _verdict(low: float, high: float) -> Verdict:
    if low > 0:
        return "higher"
    return "lower" if high < 0 else "no clear difference"


def _ratio(logarithm: float) -> float:
    return math.expm1(min(logarithm, 700.0))

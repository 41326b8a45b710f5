"""How much days scatter, and what that makes of the mean of some of them.

Days differ by more than the chance of their events: a provider is slow, a campaign brings other questions. One day is
so much better or worse than its own weekday mostly is, and the next day partly goes on like it. So the variance is that
of days around their weekday, and of a mean of L days it is

    s²/L · (1 + 2 Σ (1 - k/L) ρᵏ),   k = 1 … L - 1

as of an autoregressive series (Box, Jenkins and Reinsel, Time Series Analysis, section 2.1), where ρ¹ is the
correlation of neighbouring days. It is estimated, freed of the bias of short series (Kendall, Biometrika 41, 1954), and
taken two standard errors higher, since a month of days shows it only roughly. Days that go on like those before them
also tell less of s²: as many as (1 - ρ²)/(1 + ρ²) of them would (Bartlett, Journal of the Royal Statistical Society
Supplement 8, 1946).
"""

import math
from typing import NamedTuple

from app.core.analytics.arrays import Floats, np
from app.core.analytics.confidence import student

CORRELATION_ERRORS = 2.0
HIGHEST_CORRELATION = 0.85
_ROUNDING = 1e-12
FEWEST_DEGREES = 3.0
"""Of freedom: with fewer, nothing is known of the scatter."""


class Scatter(NamedTuple):
    """Of each row: the variance of one day, the degrees of freedom it is known with, and the correlation."""

    variance: Floats
    degrees: Floats
    correlation: Floats


def rest_of(values: Floats, usual: Floats) -> Floats:
    """What values have more than is usual: nothing, and not what floats make of nothing, where both are equal."""
    rest = values - usual
    return np.where(np.abs(rest) > _ROUNDING * np.abs(values), rest, 0)


def scatter(rest: Floats, weight: Floats, leverage: Floats, *, also_taken: float = 0) -> Scatter:
    """What days say, row by row, that were freed of what is usual for them.

    `weight`: how much a day counts. `leverage`: its part in what was taken out as usual. `also_taken`: how many more
    numbers were taken out of all.
    """
    share = weight / np.maximum(weight.sum(axis=1, keepdims=True), 1e-300)
    squared = (share * share).sum(axis=1)
    days = np.divide(1.0, squared, out=np.zeros_like(squared), where=squared > 0)
    left = (share * (1 - leverage)).sum(axis=1)
    degrees = days * left - also_taken
    variance = (share * rest * rest).sum(axis=1) * days / np.maximum(degrees, 1e-9)
    scaled = rest * np.sqrt(share)
    both = (share[:, 1:] > 0) & (share[:, :-1] > 0)
    total = (scaled * scaled).sum(axis=1)
    together = (scaled[:, 1:] * scaled[:, :-1] * both).sum(axis=1)
    estimated = np.divide(together, total, out=np.zeros_like(total), where=total > 0)
    unbiased = estimated + (1 + 3 * estimated) * squared
    correlation = np.clip(unbiased + CORRELATION_ERRORS * np.sqrt(squared), 0, HIGHEST_CORRELATION)
    return Scatter(variance, degrees * (1 - correlation**2) / (1 + correlation**2), correlation)


def grown(correlation: Floats, days: float) -> Floats:
    """How many times as large correlation makes the variance of the mean of so many days."""
    factor = np.ones_like(correlation)
    for distance in range(1, math.ceil(days)):
        factor += 2 * (1 - distance / days) * correlation**distance
    return factor


def so_many(errors: Floats, error: Floats) -> Floats:
    """So many standard errors; infinite where that many are, also of an error of nothing."""
    return np.multiply(errors, error, out=np.full_like(error, np.inf), where=np.isfinite(errors))


def reach(normal: Floats | float, degrees: Floats) -> Floats:
    """How many standard errors make what `normal` is without scatter that is known from days: infinite for too few."""
    pairs = zip(np.broadcast_to(normal, degrees.shape).tolist(), degrees.tolist(), strict=True)
    return np.array([student(each, known) if known >= FEWEST_DEGREES else math.inf for each, known in pairs])

import math

import numpy as np
import pytest
from scipy.stats import norm, t

from app.core.analytics.confidence import TUNED_FOR_EVENTS, multiplier, student

ALPHA = 0.0125


@pytest.mark.parametrize("alpha", [0.05, ALPHA, 0.05 / 36])
@pytest.mark.parametrize("events", [200, 5_000, 1e6])
def test_the_interval_is_the_one_that_is_documented(events: float, alpha: float):
    """As GrowthBook writes it, with the standard error σ/√N taken out."""
    rho = math.sqrt((-2 * math.log(alpha) + math.log(1 - 2 * math.log(alpha))) / TUNED_FOR_EVENTS)
    inner = 2 * (events * rho**2 + 1) / (events**2 * rho**2) * math.log(math.sqrt(events * rho**2 + 1) / alpha)
    assert multiplier(events, alpha) == pytest.approx(math.sqrt(events) * math.sqrt(inner))


def test_it_is_wider_than_the_one_for_a_single_look_and_narrowest_for_its_kind_where_it_was_tuned():
    counts = np.geomspace(100, 1e6, 200)
    widths = np.array([multiplier(each, ALPHA) for each in counts])
    assert widths.min() > norm.isf(ALPHA / 2)
    # for the same α, one that is tuned for fewer or more events is wider there
    assert widths[np.searchsorted(counts, TUNED_FOR_EVENTS)] < 1.05 * widths.min()


def test_of_many_means_looked_at_all_the_time_few_ever_leave_their_interval():
    generator = np.random.default_rng(7)
    looks = np.arange(100, 20_000, 20)
    bounds = np.array([multiplier(each, 0.05) for each in looks.tolist()]) * np.sqrt(looks)
    walks = np.concatenate([generator.normal(0, 10, (2_000, 1)), generator.normal(0, math.sqrt(20), (2_000, 994))], 1)
    sums = walks.cumsum(axis=1)
    assert (np.abs(sums) > bounds).any(axis=1).mean() <= 0.05
    assert (np.abs(sums) > 1.96 * np.sqrt(looks)).any(axis=1).mean() > 0.3


@pytest.mark.parametrize(("degrees", "more"), [(1, math.inf), (5, 0.08), (10, 0.012), (50, 0.001), (1_000, 0.001)])
@pytest.mark.parametrize("normal", [1.96, 3.5, 4.7])
def test_the_value_of_student_is_as_improbable_as_the_normal_one_or_more_so(normal: float, degrees: int, more: float):
    exact = float(t.isf(norm.sf(normal), degrees))
    assert exact * 0.999 <= student(normal, degrees) <= exact * (1 + more)


def test_hardly_any_days_tell_hardly_anything():
    assert student(3.5, 1) > 1_000
    assert student(50, 1) == math.inf

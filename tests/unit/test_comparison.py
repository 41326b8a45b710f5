import math
import random
from decimal import Decimal, localcontext
from statistics import fmean, variance

import pytest

from app.core.analytics.comparison import (
    FEWEST_EVENTS,
    Sample,
    compare_logarithms,
    compare_means,
    sample,
    t_quantile,
)

# From printed tables of Student's t.
TABLE = {29: 2.0452, 40: 2.0211, 60: 2.0003, 120: 1.9799, 1e9: 1.9600}


@pytest.mark.parametrize("degrees", TABLE)
def test_the_quantile_is_that_of_the_tables(degrees: float):
    assert t_quantile(degrees) == pytest.approx(TABLE[degrees], abs=6e-5)


def test_the_interval_is_welchs():
    older, newer = Sample(30, 10.0, 4.0), Sample(50, 12.0, 9.0)
    found = compare_means(older, newer)
    # worked out by hand: s² = 4/30 + 9/50, d = 77.17..., t = 1.9912
    error = math.sqrt(4 / 30 + 9 / 50)
    assert (found.verdict, found.estimate) == ("higher", 2.0)
    assert found.low == pytest.approx(2 - 1.9912 * error, abs=1e-3)
    assert found.high == pytest.approx(2 + 1.9912 * error, abs=1e-3)


def test_a_share_is_of_the_older_mean():
    found = compare_means(Sample(100, 0.5, 0.0), Sample(100, 0.4, 0.0), relative=True)
    assert found.verdict == "lower"
    assert found.estimate == pytest.approx(-0.2)


def test_there_is_no_share_of_nothing():
    found = compare_means(Sample(100, 0.0, 0.0), Sample(100, 0.4, 0.0), relative=True)
    assert (found.verdict, found.estimate) == ("higher", None)


def test_logarithms_tell_the_ratio_of_geometric_means():
    found = compare_logarithms(Sample(1_000, math.log(100), 0.01), Sample(1_000, math.log(108), 0.01))
    assert found.verdict == "higher"
    assert found.estimate == pytest.approx(0.08)


def test_an_interval_around_nothing_is_no_clear_difference():
    assert compare_means(Sample(40, 1.0, 1.0), Sample(40, 1.2, 1.0)).verdict == "no clear difference"
    assert compare_means(Sample(40, 1.0, 0.0), Sample(40, 1.0, 0.0)).verdict == "no clear difference"


@pytest.mark.parametrize("compare", [compare_means, compare_logarithms])
def test_few_events_tell_nothing(compare):
    many, few = Sample(1_000, 1.0, 0.1), Sample(FEWEST_EVENTS - 1, 9.0, 0.1)
    assert compare(many, few).verdict == compare(few, many).verdict == "too few"


def test_samples_come_from_sums_and_sums_of_squares():
    values = [random.Random(1).uniform(0, 9) for _ in range(50)]
    decimals = [Decimal(str(round(value, 6))) for value in values]
    exact = sample(50, sum(decimals, Decimal(0)), sum((value * value for value in decimals), Decimal(0)))
    rough = sample(50, sum(values), sum(value * value for value in values))
    assert exact.mean == pytest.approx(float(fmean(decimals)))
    assert exact.variance == pytest.approx(float(variance(decimals)))
    assert rough.mean == pytest.approx(fmean(values))
    assert rough.variance == pytest.approx(variance(values))


def test_large_numbers_that_are_alike_keep_their_variance():
    values = [Decimal("1000000000000.000001"), Decimal("1000000000000.000003")]
    with localcontext(prec=60):
        found = sample(2, values[0] + values[1], values[0] ** 2 + values[1] ** 2)
    assert found.variance == pytest.approx(2e-12)


def test_rounding_leaves_no_negative_variance():
    assert sample(3, 0.3, 0.03 - 1e-12).variance == 0.0


@pytest.mark.parametrize(("count", "total"), [(0, None), (1, Decimal(3))])
def test_a_sample_of_hardly_anything_has_no_variance(count: int, total: Decimal | None):
    assert sample(count, total, Decimal(9)) == Sample(count, 3.0 if count else 0.0, 0.0)
    assert sample(count, 3.0 if count else 0.0, 9.0) == Sample(count, 3.0 if count else 0.0, 0.0)

"""The tail of two versions against the sorted latencies."""

import math

import numpy as np
import numpy.typing as npt
import pytest
from scipy.stats import binom

from app.core.analytics.confidence import Interval
from app.core.analytics.percentiles import DecodedHistograms
from app.core.analytics.strata import Contrast
from app.core.analytics.tail import P, Tail, tail_contrast
from app.core.rollups.latency_histogram import LOG_GROWTH, bucket_number

Floats = npt.NDArray[np.float64]
NORMAL = 3.5


def tail(latencies_ms: Floats) -> Tail:
    buckets, counts = np.unique([bucket_number(each) for each in latencies_ms], return_counts=True)
    owner = np.zeros(len(buckets), np.intp)
    return Tail(DecodedHistograms(owner, buckets.astype(np.intp), counts.astype(np.float64)), np.zeros(1, np.intp))


def means(count: int) -> Contrast:
    """What the means of two versions with so many latencies each would have said."""
    return Contrast(Interval(0.0, -0.1, 0.1, 2 * count), (count, count), (0.0, 0.0), np.ones(1), NORMAL)


def found(old: Floats, new: Floats) -> Interval:
    result = tail_contrast(tail(old), tail(new), means(len(old)))
    assert result is not None
    return result


@pytest.fixture
def versions() -> tuple[Floats, Floats]:
    generator = np.random.default_rng(1)
    return generator.lognormal(6, 0.8, 4_000), generator.lognormal(6.1, 0.8, 4_000)


def test_the_ratio_is_that_of_the_percentiles(versions: tuple[Floats, Floats]):
    exact = math.log(np.quantile(versions[1], P) / np.quantile(versions[0], P))
    assert found(*versions).estimate == pytest.approx(exact, abs=LOG_GROWTH)


def test_its_ends_are_order_statistics_put_together(versions: tuple[Floats, Floats]):
    reach = NORMAL * math.sqrt(P * (1 - P) / 4_000)
    ends = [[math.log(np.quantile(each, share)) for share in (P - reach, P, P + reach)] for each in versions]
    (old_low, old, old_high), (new_low, new, new_high) = ends
    interval = found(*versions)
    assert interval.low == pytest.approx(new - old - math.hypot(new - new_low, old_high - old), abs=2 * LOG_GROWTH)
    assert interval.high == pytest.approx(new - old + math.hypot(new_high - new, old - old_low), abs=2 * LOG_GROWTH)


def test_the_reach_is_that_of_the_binomial_count():
    reach = NORMAL * math.sqrt(P * (1 - P) / 4_000)
    assert binom.sf(4_000 * (P + reach), 4_000, P) < 0.0005
    assert binom.cdf(4_000 * (P - reach), 4_000, P) < 0.0005


def test_few_latencies_have_no_bound(versions: tuple[Floats, Floats]):
    interval = found(versions[0][:150], versions[1][:150])
    assert (interval.low, interval.high) == (-math.inf, math.inf)

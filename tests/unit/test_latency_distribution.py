"""What is said of how latencies are distributed."""

import math

from hypothesis import given
from hypothesis import strategies as st

from app.core.analytics.latency_shares import distribution
from app.core.rollups.latency_histogram import ZERO_BUCKET, bucket_number, encode_histogram, middle_of
from app.web.pages.charts.distribution import latency_histogram
from app.web.pages.layout.formatting import duration


def encoded(latencies_ms: list[float]) -> bytes:
    counts: dict[int, int] = {}
    for latency in latencies_ms:
        bucket = bucket_number(latency) if latency else ZERO_BUCKET
        counts[bucket] = counts.get(bucket, 0) + 1
    return encode_histogram(counts)


def summary_of(latencies_ms: list[float]) -> str:
    drawn = latency_histogram(distribution(encoded(latencies_ms)))
    assert drawn is not None
    return drawn.summary.replace("\N{NO-BREAK SPACE}", " ")


@given(st.lists(st.floats(0.001, 1e6) | st.just(0.0), min_size=1).filter(any))
def test_the_middle_half_lies_between_the_quartiles(latencies_ms: list[float]):
    found = distribution(encoded(latencies_ms))
    assert found is not None
    ordered = sorted(latencies_ms)
    for told, percentile in zip(found.quartiles_ms, (25, 75), strict=True):
        exact = ordered[-(-len(ordered) * percentile // 100) - 1]
        assert math.isclose(told, exact, rel_tol=0.0101)
    assert math.isclose(found.zeros, latencies_ms.count(0.0) / len(latencies_ms))


def told(latency_ms: float) -> str:
    """As the middle of its bucket is told, which is within 1 % of it."""
    return duration(middle_of(bucket_number(latency_ms))).replace("\N{NO-BREAK SPACE}", " ")


def test_the_tallest_bar_is_not_said_to_be_where_most_lie():
    latencies_ms = [20.0] * 20 + [float(latency) for latency in range(100, 1_000, 10)]
    assert summary_of(latencies_ms) == f"The middle half lies between {told(170)} and {told(720)}."
    assert summary_of([10.0] + [100.0] * 97 + [1_000.0]) == f"The middle half lies around {told(100)}."


def test_zeros_which_have_no_bar_are_told():
    some_zeros = [0.0] * 30 + [100.0] * 35 + [200.0] * 35
    assert summary_of(some_zeros) == f"The middle half lies between 0 ms and {told(200)}; 30 % are 0."

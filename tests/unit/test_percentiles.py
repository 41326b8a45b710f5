"""Percentiles of many histograms at once."""

import math

from hypothesis import given
from hypothesis import strategies as st

from app.core.analytics.percentiles import PERCENTILES, percentiles_of
from app.core.rollups.latency_histogram import ZERO_BUCKET, decode_histogram, encode_histogram, middle_of

sparse = st.dictionaries(
    st.integers(-1_000, 1_400) | st.just(ZERO_BUCKET), st.integers(1, 2**30), min_size=1, max_size=30
)
dense = st.dictionaries(st.integers(1_380, 1_400) | st.just(ZERO_BUCKET), st.integers(1, 70), min_size=1)


def percentiles_by_counting(histogram: bytes) -> list[float]:
    """One bucket after the other, until the rank is reached."""
    counts = decode_histogram(histogram)
    found = []
    for percentile in PERCENTILES:
        rank = -(-sum(counts.values()) * percentile // 100)
        passed = 0
        for bucket in sorted(counts):
            passed += counts[bucket]
            if passed >= rank:
                found.append(middle_of(bucket))
                break
    return found


@given(st.lists((sparse | dense).map(encode_histogram), max_size=40))
def test_each_histogram_has_the_percentiles_of_its_own_buckets(histograms: list[bytes]) -> None:
    assert percentiles_of(histograms) == [percentiles_by_counting(histogram) for histogram in histograms]


def test_a_long_histogram_beside_short_ones_changes_nothing() -> None:
    short = [encode_histogram({bucket: 1}) for bucket in range(100)]
    long = encode_histogram(dict.fromkeys(range(-1_000, 1_000), 1)) * 10
    found = percentiles_of([*short, long, *short])
    assert found == [percentiles_by_counting(histogram) for histogram in (*short, long, *short)]
    assert math.isclose(found[100][0], middle_of(-1), rel_tol=1e-12)

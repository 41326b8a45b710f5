import math
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.rollups.latency_histogram import (
    MAX_COUNT,
    SMALLEST_MS,
    ZERO_BUCKET,
    bucket_number,
    compact,
    decode_histogram,
    encode_histogram,
    middle_of,
)
from tests.histograms import histogram_of

latencies = st.floats(0, 1e12, allow_nan=False)
sparse = st.dictionaries(st.integers(-2_048, 2_047), st.integers(1, 2**30))
dense = st.dictionaries(st.integers(-5, 20), st.integers(1, 70) | st.integers(MAX_COUNT - 1, MAX_COUNT + 1))


@given(st.floats(SMALLEST_MS, 1e12))
def test_the_middle_of_a_bucket_is_within_one_percent_of_all_it_holds(latency_ms):
    assert math.isclose(middle_of(bucket_number(latency_ms)), latency_ms, rel_tol=0.01)


@pytest.mark.parametrize("latency_ms", [0.0, 5e-324, 1e-10])
def test_what_is_shorter_than_a_picosecond_counts_as_zero(latency_ms):
    assert bucket_number(latency_ms) == ZERO_BUCKET
    assert middle_of(ZERO_BUCKET) == 0


@given(st.lists(latencies))
def test_a_longer_latency_never_has_a_lower_bucket(values):
    ordered = sorted(values)
    buckets = [bucket_number(value) for value in ordered]
    assert sorted(buckets) == buckets


@given(sparse | dense)
def test_a_histogram_decodes_to_what_was_encoded(counts):
    assert decode_histogram(encode_histogram(counts)) == counts


def test_entries_are_as_the_migration_and_other_releases_write_them():
    counts = {-2_048: 5, 0: 1, 1: 63, 2: 64, 3: 1, 5: 2, 2_047: MAX_COUNT + 1}
    assert struct.unpack("<6I", encode_histogram(counts)) == (
        5,
        2_048 << 20 | 1 << 19 | 63 << 6 | 1,
        2_050 << 20 | 64,
        2_051 << 20 | 1 << 19 | 2 << 12 | 1,
        4_095 << 20 | MAX_COUNT,
        4_095 << 20 | 1,
    )


def test_small_counts_side_by_side_take_a_third_of_the_room():
    assert len(encode_histogram(dict.fromkeys(range(300), 63))) == 400
    assert len(encode_histogram(dict.fromkeys(range(300), 64))) == 1_200


@given(st.lists(latencies), st.lists(latencies))
def test_two_histograms_put_together_are_the_histogram_of_both(some, others):
    together = histogram_of(some) + histogram_of(others)
    assert decode_histogram(together) == decode_histogram(histogram_of(some + others))


@given(st.lists(latencies), st.lists(latencies))
def test_compacting_changes_the_length_but_never_a_count(some, others):
    together = histogram_of(some) + histogram_of(others)
    assert decode_histogram(compact(together)) == decode_histogram(together)
    assert compact(together) == histogram_of(some + others)


def test_bytes_that_are_no_whole_entries_are_refused():
    with pytest.raises(struct.error):
        decode_histogram(b"1234567")

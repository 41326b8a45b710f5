"""Latency histograms of latencies."""

from collections import Counter
from collections.abc import Iterable

from app.core.rollups.latency_histogram import bucket_number, encode_histogram


def histogram_of(latencies_ms: Iterable[float]) -> bytes:
    return encode_histogram(Counter(map(bucket_number, latencies_ms)))

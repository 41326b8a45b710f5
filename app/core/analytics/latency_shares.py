"""How latencies are distributed, for a picture: those of two compared versions, or of all events of a range."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from app.core.analytics.arrays import Floats, np
from app.core.analytics.evidence import Evidence
from app.core.analytics.percentiles import BELOW_ALL_BUCKETS, decode_histograms, percentiles_of
from app.core.analytics.tail import Tail
from app.core.rollups.latency_histogram import LOG_GROWTH

MAX_BARS = 36
QUARTILES = (25, 75)
_HIDDEN_SHARE = 0.002
"""So much at either end is left out, of the version that has more there: a few slowest ones would squeeze all else."""


@dataclass(frozen=True, slots=True)
class LatencyShares:
    """The shares of the latencies between edges in milliseconds, which grow by an equal factor.

    There is one edge more than shares. What is below the first edge or above the last is in no share.
    """

    edges_ms: list[float]
    baseline: list[float]
    candidate: list[float]


@dataclass(frozen=True, slots=True)
class Distribution:
    """The shares of all latencies between edges in milliseconds, as `LatencyShares`.

    The quartiles, the first and the third, are those of all latencies, of which `zeros` is the share that is zero.
    """

    edges_ms: list[float]
    shares: list[float]
    quartiles_ms: tuple[float, float]
    zeros: float


NO_LATENCIES = Distribution([], [], (math.nan, math.nan), 0.0)


def distribution(histogram: bytes) -> Distribution | None:
    """None where all latencies are zero."""
    decoded = decode_histograms([histogram])
    lowest = int(decoded.bucket.min())
    shares = _normalised(np.bincount(decoded.bucket - lowest, decoded.count).astype(np.float64), lowest)
    if not shares.any():
        return None
    edges, (bars,) = _bars([shares], lowest)
    ((first, third),) = percentiles_of([histogram], QUARTILES)
    zeros = float(decoded.count[decoded.bucket == BELOW_ALL_BUCKETS].sum() / decoded.count.sum())
    return Distribution(edges, bars, (first, third), zeros)


def latency_shares(evidence: Evidence) -> LatencyShares | None:
    """Within the hours that are compared, each with the weight that it has in the comparison.

    None where there is nothing to compare, or where all latencies of a version are zero.
    """
    tails = evidence.tails()
    size = max(int(tail.stratum.max(initial=0)) for tail in tails) + 1
    counts = [_counts(tail, size) for tail in tails]
    weights = counts[0] * counts[1] / np.maximum(counts[0] + counts[1], 1)
    if not weights.any():
        return None
    lowest = min(int(tail.histograms.bucket.min()) for tail in tails)
    width = max(int(tail.histograms.bucket.max()) for tail in tails) - lowest + 1
    shares = [
        _shares(tail, weights / np.maximum(count, 1), lowest, width) for tail, count in zip(tails, counts, strict=True)
    ]
    if not all(each.any() for each in shares):
        return None
    edges, bars = _bars(shares, lowest)
    return LatencyShares(edges, *bars)


def _bars(groups: Sequence[Floats], lowest: int) -> tuple[list[float], list[list[float]]]:
    """Edges in milliseconds, and of each group the shares between them; `lowest` is the first bucket of all."""
    running = (
        np.max([each.cumsum() for each in groups], axis=0),
        np.max([each[::-1].cumsum() for each in groups], axis=0),
    )
    first, last = (int(np.searchsorted(each, _HIDDEN_SHARE)) for each in running)
    shown = [each[first : len(each) - last] for each in groups]
    grouped = -(-len(shown[0]) // MAX_BARS)
    places = np.arange(len(shown[0])) // grouped
    bars = [np.bincount(places, each).tolist() for each in shown]
    edges = [math.exp((lowest + first + grouped * number - 1) * LOG_GROWTH) for number in range(len(bars[0]) + 1)]
    return edges, bars


def _counts(tail: Tail, size: int) -> Floats:
    """Latencies by stratum."""
    return np.bincount(tail.stratum[tail.histograms.owner], tail.histograms.count, size).astype(np.float64)


def _shares(tail: Tail, per_value: Floats, lowest: int, width: int) -> Floats:
    """By bucket, adding up to 1 with that of zeros, which have no place on an axis of logarithms."""
    values = per_value[tail.stratum[tail.histograms.owner]] * tail.histograms.count
    return _normalised(np.bincount(tail.histograms.bucket - lowest, values, width).astype(np.float64), lowest)


def _normalised(counts: Floats, lowest: int) -> Floats:
    found: Floats = counts / counts.sum()
    if lowest <= BELOW_ALL_BUCKETS:
        found[: BELOW_ALL_BUCKETS - lowest + 1] = 0
    return found

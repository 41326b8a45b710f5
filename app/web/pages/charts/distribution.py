"""How the latencies of a range are distributed, as a picture and in words."""

from dataclasses import dataclass

from app.core.analytics.latency_shares import Distribution
from app.web.pages.charts.histogram import Histogram, build_histogram
from app.web.pages.layout.formatting import duration, share

_FEWEST_BARS = 2


@dataclass(frozen=True, slots=True)
class LatencyHistogram:
    """`rows` say the same in words: from, to, and the share."""

    histogram: Histogram
    summary: str
    rows: list[tuple[str, str, str]]


def latency_histogram(found: Distribution | None) -> LatencyHistogram | None:
    """None where there is too little to draw."""
    if found is None or len(found.shares) < _FEWEST_BARS:
        return None
    edges = [duration(edge) for edge in found.edges_ms]
    peak = edges[found.shares.index(max(found.shares))]
    return LatencyHistogram(
        build_histogram(found.edges_ms, [found.shares], duration, share_tick),
        f"Most latencies lie around {peak}.",
        list(zip(edges, edges[1:], map(share, found.shares), strict=False)),
    )


def share_tick(part: float) -> str:
    return f"{100 * part:.3g}\N{NO-BREAK SPACE}%"

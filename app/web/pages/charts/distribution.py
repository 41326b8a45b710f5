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
    return LatencyHistogram(
        build_histogram(found.edges_ms, [found.shares], duration, share_tick),
        _summary(found),
        list(zip(edges, edges[1:], map(share, found.shares), strict=False)),
    )


def _summary(found: Distribution) -> str:
    first, third = map(duration, found.quartiles_ms)
    middle = f"around {first}" if first == third else f"between {first} and {third}"
    zeros = f"; {share(found.zeros)} are 0" if found.zeros else ""
    return f"The middle half lies {middle}{zeros}."


def share_tick(part: float) -> str:
    return f"{100 * part:.3g}\N{NO-BREAK SPACE}%"

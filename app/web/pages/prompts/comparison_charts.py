"""Pictures of a comparison: how its intervals shrank over time, and the latencies of both versions."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from app.core.analytics.comparison import MEASURES, MeasureName
from app.core.analytics.decision import Finding
from app.core.analytics.latency_shares import latency_shares
from app.core.analytics.version_comparison import Comparison, HistoryPoint, history
from app.web.pages.charts.distribution import share_tick
from app.web.pages.charts.histogram import Histogram, build_histogram
from app.web.pages.charts.intervals import Bounds, IntervalChart, Scale, interval_chart
from app.web.pages.layout.formatting import NO_DATA, duration, share, signed_percent, signed_score
from app.web.pages.prompts.measure_words import NOT_KNOWN, VOCABULARY, interval_words, is_within_margin

_RATIO = Scale(math.expm1, math.log1p, signed_percent)
_DIFFERENCE = Scale(float, float, signed_score)


@dataclass(frozen=True, slots=True)
class Multiple:
    """One of several small charts. `now` and `clear_from`: what is known, and since when it is clear, if it is.

    `told` is what was known at each time, in words.
    """

    key: MeasureName
    label: str
    now: str
    clear_from: datetime | None
    chart: IntervalChart
    told: list[str]


@dataclass(frozen=True, slots=True)
class Shrinking:
    """Small charts over the same times."""

    times: list[datetime]
    multiples: list[Multiple]


@dataclass(frozen=True, slots=True)
class LatencyChart:
    """The baseline first; `rows` say the same in words: from, to, and both shares."""

    histogram: Histogram
    summary: str
    rows: list[tuple[str, str, str, str]]


def shrinking_of(comparison: Comparison) -> Shrinking | None:
    """None where nothing could be told at any time."""
    past = history(comparison)
    found = [_multiple(name, past) for name in MEASURES if any(_is_told(point.findings.get(name)) for point in past)]
    return Shrinking([point.time for point in past], found) if found else None


def latencies_of(comparison: Comparison) -> LatencyChart | None:
    """None where there are none to compare."""
    found = latency_shares(comparison.evidence)
    if found is None or len(found.edges_ms) < 3:
        return None
    edges = [duration(edge) for edge in found.edges_ms]
    shares = [[share(each) for each in group] for group in (found.baseline, found.candidate)]
    highest = [
        f"{share(max(group))} from {edges[group.index(max(group))]} on" for group in (found.baseline, found.candidate)
    ]
    return LatencyChart(
        build_histogram(found.edges_ms, (found.baseline, found.candidate), duration, share_tick),
        f"The highest bar of the baseline has {highest[0]}, that of the candidate {highest[1]}.",
        list(zip(edges, edges[1:], *shares, strict=False)),
    )


def clear_from(name: MeasureName, past: Sequence[HistoryPoint]) -> datetime | None:
    """Since when it has been clear without a break whether the measure differs, or that it does not matter."""
    found = None
    for point in reversed(past):
        finding = point.findings.get(name)
        if finding is None or not (finding.verdict in ("lower", "higher") or is_within_margin(finding)):
            break
        found = point.time
    return found


def _multiple(name: MeasureName, past: Sequence[HistoryPoint]) -> Multiple:
    known = [finding for point in past if (finding := point.findings.get(name)) is not None]
    clear = clear_from(name, past)
    scale = _RATIO if known[-1].is_ratio else _DIFFERENCE
    told = [_told(name, point.findings.get(name)) for point in past]
    points = [_bounds(point.time, point.findings.get(name)) for point in past]
    chart = interval_chart(points, known[-1].margin, clear, scale)
    return Multiple(name, VOCABULARY[name].label, told[-1], clear, chart, told)


def _bounds(time: datetime, finding: Finding | None) -> Bounds:
    if finding is None or finding.interval is None or finding.verdict == "too_few":
        return Bounds(time, None, -math.inf, math.inf)
    return Bounds(time, finding.interval.estimate, finding.interval.low, finding.interval.high)


def _told(name: MeasureName, finding: Finding | None) -> str:
    if finding is None:
        return NO_DATA
    return NOT_KNOWN if finding.verdict == "too_few" else interval_words(name, finding)


def _is_told(finding: Finding | None) -> bool:
    """Whether there is something to see: an interval with at least one end."""
    if finding is None or finding.interval is None or finding.verdict == "too_few":
        return False
    return math.isfinite(finding.interval.low) or math.isfinite(finding.interval.high)

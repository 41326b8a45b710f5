"""Comparisons as the analytics would find them, made by hand for tests of what is said of them."""

import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

import numpy as np

from app.core.analytics.comparison import DEFAULT_MARGINS, MeasureName
from app.core.analytics.confidence import Interval
from app.core.analytics.decision import Finding, decide
from app.core.analytics.evidence import Arm, Evidence, Kind, arm
from app.core.analytics.usage import NOTHING
from app.core.analytics.version_comparison import ComparedVersion, Comparison
from tests.version_cells import Cell, cell_of, version_cells

CHANGE = datetime(2026, 3, 10, 9, tzinfo=UTC)
OLD, NEW = "v6", "v7"


def ratio(low: float, high: float, *, counts: tuple[int, int] = (900, 800), margin: float = 0.05) -> Finding:
    """Of cost or latency, in shares: -0.15 to -0.09 is 9 to 15 % less; -1 and infinity are no ends."""
    ends = math.log1p(low) if low > -1 else -math.inf, math.log1p(high) if high < math.inf else math.inf
    estimate = sum(ends) / 2 if all(map(math.isfinite, ends)) else 0.0
    interval = Interval(estimate, *ends, 1_000)
    return Finding(interval, counts, math.log1p(margin), lower_is_better=True, is_ratio=True)


def difference(low: float, high: float, *, counts: tuple[int, int] = (900, 800)) -> Finding:
    """Of the score."""
    interval = Interval((low + high) / 2, low, high, 1_000)
    return Finding(interval, counts, 0.02, lower_is_better=False, is_ratio=False)


def hourly(start: datetime, hours: int, *, latencies_ms: Sequence[float] = (800.0, 900.0)) -> Arm:
    """A version with these latencies in each hour."""
    return arm(version_cells(cells(start, hours, latencies_ms)))


def cells(start: datetime, hours: int, latencies_ms: Sequence[float]) -> list[tuple[Cell, bytes | None]]:
    latencies = np.array(latencies_ms, np.float64)
    return [cell_of((start + timedelta(hours=hour)).timestamp(), latencies) for hour in range(hours)]


def compared(
    findings: Mapping[MeasureName, Finding],
    *,
    kind: Kind = "side_by_side",
    arms: tuple[Arm, Arm] | None = None,
    events_needed: int | None = None,
    days_needed: float | None = None,
    left_out: Mapping[MeasureName, Finding] | None = None,
) -> Comparison:
    """v7, which came at CHANGE, against v6: side by side for two days, or three days before and three days after."""
    start = int(CHANGE.timestamp())
    if kind == "side_by_side":
        arms = arms or (hourly(CHANGE, 48), hourly(CHANGE, 48))
        phases = start, start
    else:
        arms = arms or (hourly(CHANGE - timedelta(days=3), 72), hourly(CHANGE + timedelta(hours=1), 71))
        phases = start - 3 * 86_400, start + 3_600
    return Comparison(
        kind=kind,
        decision=decide(list(findings.values())),
        baseline=_version(OLD, CHANGE - timedelta(days=30), arms[0]),
        candidate=_version(NEW, CHANGE, arms[1]),
        findings=findings,
        left_out=left_out or {},
        events_needed=events_needed,
        days_needed=days_needed,
        evidence=Evidence(kind, arms, phases),
        margins=DEFAULT_MARGINS,
        alpha=0.0125,
    )


def _version(version_hash: str, first_seen: datetime, own: Arm) -> ComparedVersion:
    if not len(own.seconds):
        return ComparedVersion(version_hash, None, first_seen, None, None, NOTHING)
    start, end = (datetime.fromtimestamp(int(own.seconds[place]), UTC) for place in (0, -1))
    return ComparedVersion(version_hash, None, first_seen, start, end + timedelta(hours=1), NOTHING)

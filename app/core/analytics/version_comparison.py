"""Two versions of a prompt: which one to ship, as far as it can be told. Every `connection` is one of a snapshot.

What is compared is fixed by the versions, not by the range that somebody looks at, since choosing a range is another
look: the time since the newer one's first event, at most LONGEST_COMPARISON.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import numpy as np

from app.core.analytics.comparison import DEFAULT_MARGINS, Findings, Margins, alpha_of_claim, find
from app.core.analytics.decision import FEWEST_EVENTS, Decision, decide, growth_needed
from app.core.analytics.evidence import DAY_SECONDS, HOUR_SECONDS, WEEK_SECONDS, Arm, Evidence, Kind, arm
from app.core.analytics.usage import NOTHING, Usage, merged_usage
from app.core.database import Connection
from app.core.queries.overviews import VersionSeen
from app.core.queries.usage import select_versions
from app.core.queries.version_cells import select_version_cells
from app.core.rollups.grains import Grain, floor_to
from app.core.rollups.time_range import MINUTES_KEPT, TimeRange, fewest_parts

LONGEST_COMPARISON = timedelta(days=90)
FEWEST_COMMON_HOURS = 6
"""So many common hours are enough, whatever share of the newer version's events they hold."""
HOURS_THAT_SHOW_SCATTER = 100
"""Of shorter comparisons the minutes are read, too."""
HISTORY_POINTS = 24


@dataclass(frozen=True, slots=True)
class ComparedVersion:
    """One of two versions, with what it used from `start` until `end`: its hours in the time that is compared.

    Both times are None where it has no events then.
    """

    version_hash: str
    name: str | None
    first_seen: datetime
    start: datetime | None
    end: datetime | None
    usage: Usage


class HistoryPoint(NamedTuple):
    """What was known at a time."""

    time: datetime
    findings: Findings


@dataclass(frozen=True, slots=True)
class Comparison:
    """What is found of the measures that both versions sent while they are compared, baseline first.

    `events_needed` and `days_needed` (at the rate of the last day): how much more it takes, if things stay as they are,
    until something is decided; None where it is, and where that is too far off to tell.
    """

    kind: Kind
    decision: Decision
    baseline: ComparedVersion
    candidate: ComparedVersion
    findings: Findings
    events_needed: int | None
    days_needed: float | None
    evidence: Evidence
    alpha: float


def compare_versions(
    connection: Connection,
    project_id: int,
    prompt_key: int,
    baseline: VersionSeen,
    candidate: VersionSeen,
    *,
    now: datetime,
    margins: Margins = DEFAULT_MARGINS,
    candidates: int = 1,
) -> Comparison:
    """`candidates`: with how many versions this baseline is compared; all claims together may be chance in 5 %."""
    versions = (baseline, candidate)
    evidence = read_evidence(connection, project_id, prompt_key, versions, now)
    alpha = alpha_of_claim(candidates)
    findings = find(evidence, margins, alpha)
    decision = decide(list(findings.values()))
    events = days = None
    if decision == "undecided" and (growth := growth_needed(list(findings.values()), alpha)) is not None:
        events, days = _needed(evidence, growth)
    compared = [
        _compared(connection, project_id, prompt_key, version, each)
        for version, each in zip(versions, evidence.arms, strict=True)
    ]
    return Comparison(evidence.kind, decision, compared[0], compared[1], findings, events, days, evidence, alpha)


def history(comparison: Comparison, margins: Margins = DEFAULT_MARGINS) -> list[HistoryPoint]:
    """How what is known came about, in up to HISTORY_POINTS steps of whole hours; the last one is what was known then,
    by the hour."""
    evidence = comparison.evidence
    start = max(evidence.phases)
    end = max((int(each.seconds.max(initial=start)) for each in evidence.arms), default=start) + HOUR_SECONDS
    hours = max(1, (end - start) // HOUR_SECONDS)
    steps = sorted({start + HOUR_SECONDS * -(-hours * step // HISTORY_POINTS) for step in range(1, HISTORY_POINTS + 1)})
    return [
        HistoryPoint(datetime.fromtimestamp(step, UTC), find(evidence.until(step), margins, comparison.alpha))
        for step in steps
    ]


def compare_newest(
    connection: Connection, project_id: int, prompt_key: int, versions: Sequence[VersionSeen], *, now: datetime
) -> Comparison | None:
    """The newest of these versions against the one before it; None where there is one alone."""
    newest_first = sorted(versions, key=first_seen_order, reverse=True)
    if len(newest_first) < 2:
        return None
    candidate, baseline = newest_first[:2]
    return compare_versions(connection, project_id, prompt_key, baseline, candidate, now=now)


def read_evidence(
    connection: Connection, project_id: int, prompt_key: int, versions: tuple[VersionSeen, VersionSeen], now: datetime
) -> Evidence:
    """Side by side where that is enough, else before and after."""
    newer = max(versions, key=first_seen_order)
    start = floor_to("hour", newer.first_seen)
    end = min(now + timedelta(hours=1), start + LONGEST_COMPARISON)
    arms = _arms(connection, project_id, prompt_key, versions, "hour", start, end)
    beginning = int(start.timestamp())
    is_newer = [version is newer for version in versions]
    if not _is_side_by_side(arms, is_newer.index(True)):
        after = arms[is_newer.index(True)].between(beginning + HOUR_SECONDS, 2**60)
        length = int(after.seconds.max(initial=beginning)) - beginning
        period = WEEK_SECONDS if length > WEEK_SECONDS else DAY_SECONDS
        span = period * max(1, -(-length // period))
        before = _arms(*(connection, project_id, prompt_key, versions, "hour"), start - timedelta(seconds=span), start)[
            is_newer.index(False)
        ]
        if len(before.seconds) and len(after.seconds):
            pair = (after, before) if is_newer[0] else (before, after)
            phases = tuple(beginning + HOUR_SECONDS if new else beginning - span for new in is_newer)
            return Evidence("before_after", pair, (phases[0], phases[1]))
    fine = None
    if len(
        np.intersect1d(arms[0].seconds, arms[1].seconds)
    ) < HOURS_THAT_SHOW_SCATTER and start >= now - MINUTES_KEPT + timedelta(hours=1):
        fine = _arms(connection, project_id, prompt_key, versions, "minute", start, end)
    return Evidence("side_by_side", arms, (beginning, beginning), fine)


def first_seen_order(version: VersionSeen) -> tuple[datetime, int]:
    """Newer versions compare as greater; of two that began in the same minute, the one registered later."""
    return version.first_seen, version.version_key


def _arms(
    connection: Connection,
    project_id: int,
    prompt_key: int,
    versions: tuple[VersionSeen, VersionSeen],
    grain: Grain,
    start: datetime,
    end: datetime,
) -> tuple[Arm, Arm]:
    keys = [version.version_key for version in versions]
    cells = select_version_cells(connection, project_id, prompt_key, keys, grain=grain, start=start, end=end)
    old, new = (arm([cell for cell in cells if cell.version_key == key]) for key in keys)
    return old, new


def _is_side_by_side(arms: tuple[Arm, Arm], newer: int) -> bool:
    """Whether the common hours tell enough: they hold half of the newer version's events, or are many."""
    common = np.intersect1d(arms[0].seconds, arms[1].seconds)
    events = [float(each.events[np.isin(each.seconds, common)].sum()) for each in arms]
    if len(common) >= FEWEST_COMMON_HOURS and min(events) >= FEWEST_EVENTS:
        return True
    return 2 * events[newer] >= float(arms[newer].events.sum())


def _needed(evidence: Evidence, growth: float) -> tuple[int, float | None]:
    """Events and days. Of versions that followed one another only the newer one has more to come."""
    growing = [each for each, does in zip(evidence.arms, evidence.grows, strict=True) if does]
    common = np.intersect1d(evidence.arms[0].seconds, evidence.arms[1].seconds)
    if evidence.kind == "side_by_side":
        growing = [each.only(np.isin(each.seconds, common)) for each in growing]
    last = max(int(each.seconds.max(initial=0)) for each in growing)
    first = min(int(each.seconds.min(initial=last)) for each in growing)
    day_start = max(first, last + HOUR_SECONDS - DAY_SECONDS)
    a_day = sum(float(each.events[each.seconds >= day_start].sum()) for each in growing)
    events = max(1, round((growth - 1) * sum(float(each.events.sum()) for each in growing)))
    days = events / a_day * ((last + HOUR_SECONDS - day_start) / DAY_SECONDS) if a_day else None
    return events, days


def _compared(
    connection: Connection, project_id: int, prompt_key: int, version: VersionSeen, compared: Arm
) -> ComparedVersion:
    if not len(compared.seconds):
        return ComparedVersion(version.version_hash, version.name, version.first_seen, None, None, NOTHING)
    start, end = (
        datetime.fromtimestamp(int(seconds), UTC)
        for seconds in (compared.seconds[0], compared.seconds[-1] + HOUR_SECONDS)
    )
    parts = fewest_parts(TimeRange(start, end, "hour"))
    usage = merged_usage(select_versions(connection, project_id, prompt_key, parts, [version.version_key]))
    return ComparedVersion(
        version.version_hash, version.name, version.first_seen, start, end, usage[0] if usage else NOTHING
    )

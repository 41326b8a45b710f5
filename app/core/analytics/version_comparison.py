"""Two versions of a prompt: which one to ship, as far as it can be told. Every `connection` is one of a snapshot."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NamedTuple

from app.core.analytics.arrays import np
from app.core.analytics.comparison import Findings, Margins, alpha_of_claim, counted, find
from app.core.analytics.decision import Decision, decide
from app.core.analytics.evidence import DAY_SECONDS, HOUR_SECONDS, Arm, Evidence, Kind, common_seconds
from app.core.analytics.evidence_reading import ReadArms, read_evidence, reading_arms
from app.core.analytics.forecast import growth_needed
from app.core.analytics.usage import NOTHING, Usage, merged_usage
from app.core.database import Connection
from app.core.queries.overviews import VersionSeen
from app.core.queries.usage import select_versions
from app.core.rollups.time_range import TimeRange, fewest_parts

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

    `findings` are those that are part of the decision, `left_out` those for which no margin is set.
    `events_needed` and `days_needed` (at the rate of the last day): how much more it takes, if things stay as they are,
    until something is decided; None where it is, and where that is too far off to tell.
    """

    kind: Kind
    decision: Decision
    baseline: ComparedVersion
    candidate: ComparedVersion
    findings: Findings
    left_out: Findings
    events_needed: int | None
    days_needed: float | None
    evidence: Evidence
    margins: Margins
    alpha: float

    @property
    def measured(self) -> Findings:
        """All of them."""
        return {**self.findings, **self.left_out}


def compare_versions(
    connection: Connection,
    project_id: int,
    prompt_key: int,
    baseline: VersionSeen,
    candidate: VersionSeen,
    *,
    margins: Margins,
    now: datetime,
    candidates: int = 1,
    read: ReadArms | None = None,
) -> Comparison:
    """`margins` are the prompt's.

    `candidates`: with how many versions this baseline is compared; all claims together may be chance in 5 %. `read`:
    how these are read, where others were read before.
    """
    versions = (baseline, candidate)
    evidence = read_evidence(read or reading_arms(connection, project_id, prompt_key), versions, now)
    alpha = alpha_of_claim(candidates)
    found = find(evidence, margins, alpha)
    findings = counted(found, margins)
    decision = decide(list(findings.values()))
    events = days = None
    if decision == "undecided" and (growth := growth_needed(list(findings.values()), alpha)) is not None:
        events, days = _needed(evidence, growth)
    compared = [
        _compared(connection, project_id, prompt_key, version, each)
        for version, each in zip(versions, evidence.arms, strict=True)
    ]
    return Comparison(
        kind=evidence.kind,
        decision=decision,
        baseline=compared[0],
        candidate=compared[1],
        findings=findings,
        left_out={name: finding for name, finding in found.items() if name not in findings},
        events_needed=events,
        days_needed=days,
        evidence=evidence,
        margins=margins,
        alpha=alpha,
    )


def history(comparison: Comparison) -> list[HistoryPoint]:
    """How what is known of what is part of the decision came about, in up to HISTORY_POINTS steps of whole hours.

    The last one is what is known now, but by the hour.
    """
    evidence = comparison.evidence
    start = max(evidence.phases)
    end = max((int(each.seconds.max(initial=start)) for each in evidence.arms), default=start) + HOUR_SECONDS
    hours = max(1, (end - start) // HOUR_SECONDS)
    steps = sorted({start + HOUR_SECONDS * -(-hours * step // HISTORY_POINTS) for step in range(1, HISTORY_POINTS + 1)})
    return [
        HistoryPoint(
            datetime.fromtimestamp(step, UTC),
            counted(find(evidence.until(step), comparison.margins, comparison.alpha), comparison.margins),
        )
        for step in steps
    ]


def _needed(evidence: Evidence, growth: float) -> tuple[int, float | None]:
    """Events and days. Of versions that followed one another only the newer one has more to come."""
    growing = [each for each, does in zip(evidence.arms, evidence.grows, strict=True) if does]
    common = common_seconds(*evidence.arms)
    if evidence.kind == "side_by_side":
        growing = [each.only(np.isin(each.seconds, common, assume_unique=True)) for each in growing]
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

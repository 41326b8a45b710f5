"""A prompt in a range of time: its versions side by side, over time, and two of them compared.

Every `connection` is one of a snapshot.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import UUID

from app.core.analytics.evidence_reading import first_seen_order
from app.core.analytics.latency_shares import Distribution
from app.core.analytics.margins import MarginsFound, find_margins
from app.core.analytics.period import Period, read_latencies, read_period
from app.core.analytics.usage import (
    NOTHING,
    Listed,
    Usage,
    busiest_versions,
    counted_range,
    find_prompt,
    merged_by_group,
    merged_usage,
)
from app.core.analytics.version_choice import ChosenVersions, choose_versions
from app.core.analytics.version_comparison import Comparison, compare_versions
from app.core.database import Connection
from app.core.errors import NothingToCompare
from app.core.queries.overviews import (
    VersionSeen,
    select_newest_versions,
    select_version_series,
    select_versions_seen,
)
from app.core.queries.usage import VersionUsageRow, select_totals
from app.core.rollups.grains import Grain
from app.core.rollups.time_range import TimeRange, fewest_parts

MAX_LINES = 6
"""So many versions have a line of their own in a chart: more cannot be told apart."""
FEWEST_EVENTS_OF_AN_HOUR = 30
"""With fewer, percentiles by the hour are noise."""
MAX_CHOICES = 50
"""So many versions, the newest, are offered for a comparison; others can be named by who knows their hash."""
_LONGEST_BY_HOUR = timedelta(days=3)


class Choice(NamedTuple):
    """The hashes of the two versions to compare; for what is None, `choose_versions` decides."""

    baseline: str | None = None
    candidate: str | None = None


NEWEST = Choice()
"""The newest version against the one before it."""


@dataclass(frozen=True, slots=True)
class VersionSummary:
    """A version in a range; `share` is that of the prompt's events. The times are those of all times."""

    version_hash: str
    name: str | None
    usage: Usage
    share: float
    first_seen: datetime
    last_seen: datetime


@dataclass(frozen=True, slots=True)
class VersionLine:
    """A version over time, bucket by bucket as in the series of the prompt; it may have no events in them."""

    version_hash: str
    name: str | None
    usages: list[Usage]


@dataclass(frozen=True, slots=True)
class PromptOverview:
    """`lines` are those of the versions compared, the candidate first, and of the newest with events in the range.

    `choices` are the newest of all, newest first.

    There is no comparison without a version to compare with, nor where the same one was chosen twice. `margins` are
    those of this prompt.
    """

    prompt_id: UUID
    name: str | None
    period: Period
    listed: Listed[VersionSummary]
    lines: list[VersionLine]
    choices: list[VersionSeen]
    comparison: Comparison | None
    margins: MarginsFound


def read_prompt_overview(
    connection: Connection,
    project_id: int,
    prompt_id: UUID,
    time_range: TimeRange,
    *,
    interval: Grain,
    now: datetime,
    choice: Choice = NEWEST,
) -> PromptOverview:
    """A prompt in a range. Raises NotFound for one that the project has never used, or for a version chosen.

    `interval` may be coarsened from hours to days, as `_calm_interval` says.
    """
    prompt = find_prompt(connection, project_id, prompt_id)
    prompt_key = prompt.prompt_key
    counted = counted_range(connection, project_id, time_range)
    interval = _calm_interval(connection, project_id, prompt_key, time_range, interval=interval)
    period = read_period(connection, project_id, prompt_key, time_range, counted, interval=interval, now=now)
    busiest = busiest_versions(connection, project_id, prompt_key, counted)
    seen = _versions_seen(connection, project_id, prompt_key, busiest.rows)
    margins = find_margins(connection, project_id, prompt_key)
    chosen = _chosen(connection, project_id, prompt_key, choice)
    shown = _shown(chosen, [seen[row.version_key] for row in busiest.rows])
    return PromptOverview(
        prompt_id=prompt_id,
        name=prompt.name,
        period=period,
        listed=Listed(_summaries(busiest.rows, seen, period.totals.events), busiest.truncated),
        lines=_lines(connection, project_id, prompt_key, shown, period=period, counted=counted),
        choices=select_newest_versions(connection, project_id, prompt_key, MAX_CHOICES),
        comparison=chosen
        and compare_versions(connection, project_id, prompt_key, *chosen, margins=margins.margins, now=now),
        margins=margins,
    )


def read_prompt_latencies(
    connection: Connection, project_id: int, prompt_id: UUID, time_range: TimeRange
) -> Distribution | None:
    """The latencies alone. Raises NotFound as `read_prompt_overview`."""
    return read_latencies(connection, project_id, find_prompt(connection, project_id, prompt_id).prompt_key, time_range)


def read_versions(
    connection: Connection, project_id: int, prompt_id: UUID, time_range: TimeRange
) -> Listed[VersionSummary]:
    """The versions alone. Raises NotFound as `read_prompt_overview`."""
    prompt_key = find_prompt(connection, project_id, prompt_id).prompt_key
    counted = counted_range(connection, project_id, time_range)
    busiest = busiest_versions(connection, project_id, prompt_key, counted)
    seen = _versions_seen(connection, project_id, prompt_key, busiest.rows)
    events = select_totals(connection, project_id, prompt_key, fewest_parts(counted)).events
    return Listed(_summaries(busiest.rows, seen, events), busiest.truncated)


def _chosen(connection: Connection, project_id: int, prompt_key: int, choice: Choice) -> ChosenVersions | None:
    if choice.baseline is not None and choice.baseline == choice.candidate:
        return None
    try:
        return choose_versions(connection, project_id, prompt_key, **choice._asdict())
    except NothingToCompare:
        return None


def _calm_interval(
    connection: Connection, project_id: int, prompt_key: int, time_range: TimeRange, *, interval: Grain
) -> Grain:
    """Days instead of hours, where a range of days has so few events that their percentiles by the hour are noise."""
    length = time_range.end - time_range.start
    if interval != "hour" or length <= _LONGEST_BY_HOUR:
        return interval
    events = select_totals(connection, project_id, prompt_key, fewest_parts(time_range)).events
    return "day" if events / (length / timedelta(hours=1)) < FEWEST_EVENTS_OF_AN_HOUR else "hour"


def _versions_seen(
    connection: Connection, project_id: int, prompt_key: int, rows: Sequence[VersionUsageRow]
) -> dict[int, VersionSeen]:
    keys = [row.version_key for row in rows]
    return {each.version_key: each for each in select_versions_seen(connection, project_id, prompt_key, keys)}


def _summaries(rows: Sequence[VersionUsageRow], seen: dict[int, VersionSeen], events: int) -> list[VersionSummary]:
    return [
        VersionSummary(
            row.version_hash,
            row.name,
            usage,
            usage.events / events,
            seen[row.version_key].first_seen,
            seen[row.version_key].last_seen,
        )
        for row, usage in zip(rows, merged_usage(rows), strict=True)
    ]


def _shown(chosen: ChosenVersions | None, in_range: Sequence[VersionSeen]) -> list[VersionSeen]:
    compared = [chosen.candidate, chosen.baseline] if chosen and in_range else []
    keys = {version.version_key for version in compared}
    newest = sorted(in_range, key=first_seen_order, reverse=True)
    return [*compared, *(version for version in newest if version.version_key not in keys)][:MAX_LINES]


def _lines(
    connection: Connection,
    project_id: int,
    prompt_key: int,
    versions: Sequence[VersionSeen],
    *,
    period: Period,
    counted: TimeRange,
) -> list[VersionLine]:
    keys = [version.version_key for version in versions]
    parts = fewest_parts(counted, coarsest=period.interval)
    rows = select_version_series(connection, project_id, prompt_key, parts, interval=period.interval, only=keys)
    usages = merged_by_group(rows)
    return [
        VersionLine(
            version.version_hash,
            version.name,
            [usages.get((version.version_key, start), NOTHING) for start, *_ in period.series],
        )
        for version in versions
    ]

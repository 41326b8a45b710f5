"""A prompt in a range of time: its versions side by side, over time, and two of them compared.

Every `connection` is one of a snapshot.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import UUID

from app.core.analytics.latency_shares import Distribution
from app.core.analytics.margins import MarginsFound, find_margins, read_project_margins
from app.core.analytics.period import Period, Point, points_of, read_latencies, read_period
from app.core.analytics.prompt_versions import (
    EVERYTHING,
    Shown,
    VersionSummary,
    find_versions,
    keys_of,
    list_versions,
)
from app.core.analytics.usage import (
    NOTHING,
    Listed,
    Usage,
    counted_range,
    find_prompt,
    merged_by_group,
    usage_over_time,
)
from app.core.analytics.version_choice import ChosenVersions, choose_versions
from app.core.analytics.version_comparison import Comparison, compare_versions
from app.core.contract import OTHER_VERSION
from app.core.database import Connection
from app.core.errors import NothingToCompare
from app.core.queries.names import VersionKey
from app.core.queries.overviews import VersionSeen, select_newest_versions
from app.core.queries.usage import select_totals, select_version_series
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
class VersionLine:
    """A version over time, bucket by bucket as in the series of the prompt; it may have no events in them."""

    version_hash: str
    name: str | None
    usages: list[Usage]


class VersionLines(NamedTuple):
    """The versions over time, and the prompt: all in all, and bucket by bucket."""

    totals: Usage
    interval: Grain
    series: list[Point]
    lines: list[VersionLine]


@dataclass(frozen=True, slots=True)
class PromptOverview:
    """`lines` are those of the versions compared, the candidate first, and of the newest with events in the range.

    `listed` are the versions with events in the range, `matching` those of them that a search leaves. `choices` are
    the newest of all, newest first; `only` those that all but the comparison is of, empty where it is of all.

    There is no comparison without a version to compare with, nor where the same one was chosen twice. `margins` are
    those of this prompt.
    """

    prompt_id: UUID
    name: str | None
    period: Period
    listed: Listed[VersionSummary]
    matching: Listed[VersionSummary]
    only: list[VersionKey]
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
    shown: Shown = EVERYTHING,
) -> PromptOverview:
    """A prompt in a range. Raises NotFound for one that the project has never used, or for a version that is named.

    `interval` may be coarsened from hours to days, as `_calm_interval` says.
    """
    prompt = find_prompt(connection, project_id, prompt_id)
    prompt_key = prompt.prompt_key
    counted = counted_range(connection, project_id, time_range)
    interval = _calm_interval(connection, project_id, prompt_key, time_range, interval=interval)
    only = find_versions(connection, prompt_key, shown.only)
    keys = keys_of(only)
    period = read_period(
        connection,
        project_id,
        prompt_key,
        time_range,
        counted,
        interval=interval,
        margins=read_project_margins(connection, project_id),
        now=now,
        only=keys,
    )
    listed, matching = list_versions(
        connection, project_id, prompt_key, counted, events=period.totals.events, only=keys, search=shown.search
    )
    margins = find_margins(connection, project_id, prompt_key)
    chosen = _chosen(connection, project_id, prompt_key, choice)
    drawn = _drawn(chosen, listed.rows, keys)
    return PromptOverview(
        prompt_id=prompt_id,
        name=prompt.name,
        period=period,
        listed=listed,
        matching=matching,
        only=only,
        lines=_lines(connection, project_id, prompt_key, drawn, counted, series=period.series, interval=interval),
        choices=select_newest_versions(connection, project_id, prompt_key, MAX_CHOICES),
        comparison=chosen
        and compare_versions(connection, project_id, prompt_key, *chosen, margins=margins.margins, now=now),
        margins=margins,
    )


def read_version_lines(
    connection: Connection,
    project_id: int,
    prompt_id: UUID,
    time_range: TimeRange,
    *,
    interval: Grain,
    now: datetime,
    choice: Choice = NEWEST,
    shown: Shown = EVERYTHING,
) -> VersionLines:
    """The lines of `read_prompt_overview` alone, with what they are drawn over. Raises NotFound as that does."""
    prompt_key = find_prompt(connection, project_id, prompt_id).prompt_key
    counted = counted_range(connection, project_id, time_range)
    interval = _calm_interval(connection, project_id, prompt_key, time_range, interval=interval)
    keys = keys_of(find_versions(connection, prompt_key, shown.only))
    used = usage_over_time(connection, project_id, prompt_key, time_range, counted, interval=interval, only=keys)
    listed, _ = list_versions(
        connection, project_id, prompt_key, counted, events=used.totals.events, only=keys, search=""
    )
    drawn = _drawn(_chosen(connection, project_id, prompt_key, choice), listed.rows, keys)
    series = points_of(used.series, time_range, interval, now)
    lines = _lines(connection, project_id, prompt_key, drawn, counted, series=series, interval=interval)
    return VersionLines(used.totals, interval, series, lines)


def read_prompt_latencies(
    connection: Connection, project_id: int, prompt_id: UUID, time_range: TimeRange, shown: Shown = EVERYTHING
) -> Distribution | None:
    """The latencies alone. Raises NotFound as `read_prompt_overview`."""
    prompt_key = find_prompt(connection, project_id, prompt_id).prompt_key
    keys = keys_of(find_versions(connection, prompt_key, shown.only))
    return read_latencies(connection, project_id, prompt_key, time_range, only=keys)


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


def _drawn(
    chosen: ChosenVersions | None, in_range: Sequence[VersionSummary], only: Sequence[int] | None
) -> list[VersionSummary | VersionSeen]:
    """The versions compared first, where there is something to draw, unless others were asked for; "(other)" last."""
    compared: list[VersionSummary | VersionSeen] = [chosen.candidate, chosen.baseline] if chosen and in_range else []
    compared = [version for version in compared if only is None or version.version_key in only]
    keys = {version.version_key for version in compared}
    newest = sorted(
        in_range,
        key=lambda version: (version.version_hash != OTHER_VERSION, version.first_seen, version.version_key),
        reverse=True,
    )
    return [*compared, *(version for version in newest if version.version_key not in keys)][:MAX_LINES]


def _lines(
    connection: Connection,
    project_id: int,
    prompt_key: int,
    versions: Sequence[VersionSummary | VersionSeen],
    counted: TimeRange,
    *,
    series: Sequence[Point],
    interval: Grain,
) -> list[VersionLine]:
    keys = [version.version_key for version in versions]
    parts = fewest_parts(counted, coarsest=interval)
    rows = select_version_series(connection, project_id, prompt_key, parts, interval=interval, only=keys)
    usages = merged_by_group(rows)
    return [
        VersionLine(
            version.version_hash,
            version.name,
            [usages.get((version.version_key, start), NOTHING) for start, *_ in series],
        )
        for version in versions
    ]

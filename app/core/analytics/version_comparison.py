"""The newest version of a prompt against the one before it. As `app.core.analytics.prompt_overview`, which calls it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from app.core.analytics.comparison import FEWEST_EVENTS, Difference, Sample, compare_logarithms, compare_means, sample
from app.core.analytics.usage import NOTHING, Usage, merged_usage
from app.core.database import Connection
from app.core.queries.overviews import VersionSeen
from app.core.queries.usage import VersionUsageRow, select_versions
from app.core.rollups.grains import floor_to
from app.core.rollups.time_range import TimeRange, fewest_parts

COMPARED_BACK = timedelta(days=90)
"""How far back two versions are compared of which one has too few events in the range."""


@dataclass(frozen=True, slots=True)
class ComparedVersion:
    """One of two versions, with what it used in the range in which they are compared."""

    version_hash: str
    name: str | None
    first_seen: datetime
    usage: Usage


@dataclass(frozen=True, slots=True)
class Comparison:
    """The newest version against the one before it. `cost` and `latency` are relative, `score` is not.

    `in_range`: over the range that was asked for; else over COMPARED_BACK before its end.
    """

    newer: ComparedVersion
    older: ComparedVersion
    in_range: bool
    cost: Difference
    latency: Difference
    score: Difference


class _Samples(NamedTuple):
    cost: Sample
    latency_log: Sample
    score: Sample


def first_seen_order(version: VersionSeen) -> tuple[datetime, int]:
    """Newer versions compare as greater; of two that began in the same minute, the one registered later."""
    return version.first_seen, version.version_key


def compare_newest(
    connection: Connection,
    project_id: int,
    prompt_key: int,
    versions: Sequence[VersionSeen],
    *,
    time_range: TimeRange,
    counted: TimeRange,
) -> Comparison | None:
    newest_first = sorted((v for v in versions if v.first_seen < time_range.end), key=first_seen_order, reverse=True)
    if len(newest_first) < 2:
        return None
    newer, older = newest_first[:2]
    in_range = _compare(connection, project_id, prompt_key, [newer, older], counted, in_range=True)
    start = floor_to("hour", time_range.end - COMPARED_BACK)
    if min(in_range.newer.usage.events, in_range.older.usage.events) >= FEWEST_EVENTS or time_range.start <= start:
        return in_range
    wider = TimeRange(start, counted.end, counted.resolution)
    return _compare(connection, project_id, prompt_key, [newer, older], wider, in_range=False)


def _compare(
    connection: Connection,
    project_id: int,
    prompt_key: int,
    versions: Sequence[VersionSeen],
    compared: TimeRange,
    *,
    in_range: bool,
) -> Comparison:
    newer, older = versions
    keys = [newer.version_key, older.version_key]
    rows = select_versions(connection, project_id, prompt_key, fewest_parts(compared), keys)
    by_key = {row.version_key: row for row in rows}
    old, new = (_samples(by_key.get(version.version_key)) for version in (older, newer))
    return Comparison(
        newer=_compared(newer, by_key.get(newer.version_key)),
        older=_compared(older, by_key.get(older.version_key)),
        in_range=in_range,
        cost=compare_means(old.cost, new.cost, relative=True),
        latency=compare_logarithms(old.latency_log, new.latency_log),
        score=compare_means(old.score, new.score),
    )


def _compared(version: VersionSeen, row: VersionUsageRow | None) -> ComparedVersion:
    usage = NOTHING if row is None else merged_usage([row])[0]
    return ComparedVersion(version.version_hash, version.name, version.first_seen, usage)


def _samples(row: VersionUsageRow | None) -> _Samples:
    if row is None:
        nothing = Sample(0, 0.0, 0.0)
        return _Samples(nothing, nothing, nothing)
    return _Samples(
        cost=sample(row.cost_count, row.cost_sum, row.cost_sum_squares),
        latency_log=sample(row.latency_count, row.latency_log_sum, row.latency_log_sum_squares),
        score=sample(row.score_count, row.score_sum, row.score_sum_squares),
    )

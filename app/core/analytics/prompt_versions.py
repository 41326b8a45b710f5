"""The versions of a prompt with events in a range: all of them, some, or those that a search finds.

Every `connection` is one of a snapshot.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from app.core.analytics.usage import (
    Listed,
    Usage,
    busiest_versions,
    counted_range,
    find_prompt,
    merged_usage,
)
from app.core.database import Connection
from app.core.errors import VersionNotFound
from app.core.queries.names import VersionKey, select_matching_versions, select_version_keys
from app.core.queries.overviews import select_versions_seen
from app.core.queries.usage import select_series
from app.core.rollups.time_range import TimeRange, fewest_parts


class Shown(NamedTuple):
    """Which versions figures, chart and table are of, by their hashes; of all where none is named.

    `search`: what hash or name of those in the table contains.
    """

    only: tuple[str, ...] = ()
    search: str = ""


EVERYTHING = Shown()


@dataclass(frozen=True, slots=True)
class VersionSummary:
    """A version in a range; `share` is that of the events of all that is shown. The times are those of all times."""

    version_key: int
    version_hash: str
    name: str | None
    usage: Usage
    share: float
    first_seen: datetime
    last_seen: datetime


def read_versions(
    connection: Connection, project_id: int, prompt_id: UUID, time_range: TimeRange, shown: Shown = EVERYTHING
) -> Listed[VersionSummary]:
    """The versions alone. Raises NotFound for a prompt that the project has never used, or a version that is named."""
    prompt_key = find_prompt(connection, project_id, prompt_id).prompt_key
    counted = counted_range(connection, project_id, time_range)
    keys = keys_of(find_versions(connection, prompt_key, shown.only))
    parts = fewest_parts(counted)
    totals, _ = select_series(connection, project_id, prompt_key, parts, interval="day", only=keys)
    _, matching = list_versions(
        connection, project_id, prompt_key, counted, events=totals.events, only=keys, search=shown.search
    )
    return matching


def find_versions(connection: Connection, prompt_key: int, hashes: Sequence[str]) -> list[VersionKey]:
    """Versions of a prompt by their hashes. Raises VersionNotFound for one that it does not have."""
    found = select_version_keys(connection, prompt_key, hashes) if hashes else []
    if len(found) < len(set(hashes)):
        raise VersionNotFound("version")
    return found


def keys_of(versions: Sequence[VersionKey]) -> list[int] | None:
    """As queries take them: None, for all of a prompt's, where none is named."""
    return [version.version_key for version in versions] or None


def list_versions(
    connection: Connection,
    project_id: int,
    prompt_key: int,
    counted: TimeRange,
    *,
    events: int,
    only: Sequence[int] | None,
    search: str,
) -> tuple[Listed[VersionSummary], Listed[VersionSummary]]:
    """Those with events in a range, as `counted_range` gives it, and those of them with a text in hash or name.

    Of all, or of `only` these; `events` is their sum. Where not all can be listed, the search finds the others too.
    """
    listed = _listed(connection, project_id, prompt_key, counted, only, events=events)
    if not search:
        return listed, listed
    matching = set(select_matching_versions(connection, prompt_key, search))
    if not listed.truncated:
        return listed, Listed([version for version in listed.rows if version.version_key in matching], truncated=False)
    keys = sorted(matching if only is None else matching.intersection(only))
    return listed, _listed(connection, project_id, prompt_key, counted, keys, events=events)


def _listed(
    connection: Connection,
    project_id: int,
    prompt_key: int,
    counted: TimeRange,
    only: Sequence[int] | None,
    *,
    events: int,
) -> Listed[VersionSummary]:
    busiest = busiest_versions(connection, project_id, prompt_key, counted, only=only)
    keys = [row.version_key for row in busiest.rows]
    seen = {each.version_key: each for each in select_versions_seen(connection, project_id, prompt_key, keys)}
    summaries = [
        VersionSummary(
            row.version_key,
            row.version_hash,
            row.name,
            usage,
            usage.events / events,
            seen[row.version_key].first_seen,
            seen[row.version_key].last_seen,
        )
        for row, usage in zip(busiest.rows, merged_usage(busiest.rows), strict=True)
    ]
    return Listed(summaries, busiest.truncated)

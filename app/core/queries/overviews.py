"""What the pages ask of the rollups beyond what the read API asks: names, activity, when a version was seen."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple
from uuid import UUID

from app.core.database import Connection
from app.core.queries.usage import ROLLUPS_OF_PROMPTS, ROLLUPS_OF_VERSIONS, SUMS, UsageRow, part_columns
from app.core.rollups.grains import Grain
from app.core.rollups.time_range import Part

SELECT_PROMPT = """
SELECT id, name FROM prompts WHERE project_id = %(project_id)s AND prompt_id = %(prompt_id)s
"""

SELECT_EVER_USED = """
SELECT EXISTS (SELECT FROM rollups WHERE project_id = %(project_id)s AND prompt_key = 0 AND version_key = 0)
"""

SELECT_MATCHING_PROMPTS = """
SELECT id
FROM prompts
WHERE project_id = %(project_id)s
  AND (strpos(lower(name), lower(%(search)s)) > 0 OR strpos(prompt_id::text, lower(%(search)s)) > 0)
ORDER BY id
"""

# The times of a prompt's rows and the events in them come along: so its activity costs no query of its own.
SELECT_PROMPTS_WITH_ACTIVITY = f"""
SELECT prompts.id, prompts.prompt_id, prompts.name,
       array_agg(extract(epoch FROM rollup.bucket_start)::bigint), array_agg(rollup.events), {SUMS}
FROM {ROLLUPS_OF_PROMPTS}
JOIN prompts ON prompts.id = rollup.prompt_key
GROUP BY prompts.id
"""

# Minutes are more exact, but only the last days have them.
SELECT_PROMPTS_LAST_SEEN = """
SELECT prompt.key, greatest(hour.bucket_start, minute.bucket_start)
FROM unnest(%(keys)s::bigint[]) AS prompt (key)
CROSS JOIN LATERAL (
    SELECT bucket_start
    FROM rollups
    WHERE project_id = %(project_id)s AND prompt_key = prompt.key AND version_key = 0 AND grain = 'hour'
    ORDER BY bucket_start DESC
    LIMIT 1
) AS hour
LEFT JOIN LATERAL (
    SELECT bucket_start
    FROM rollups
    WHERE project_id = %(project_id)s AND prompt_key = prompt.key AND version_key = 0 AND grain = 'minute'
      AND bucket_start >= hour.bucket_start
    ORDER BY bucket_start DESC
    LIMIT 1
) AS minute ON true
"""

_VERSION_ROWS = "project_id = %(project_id)s AND prompt_key = %(prompt_key)s AND version_key = version.id"

SELECT_VERSIONS_SEEN = f"""
SELECT version.id, version.version_hash, version.name,
       coalesce(first_minute.bucket_start, first_hour.bucket_start),
       coalesce(last_minute.bucket_start, last_hour.bucket_start)
FROM prompt_versions AS version
CROSS JOIN LATERAL (
    SELECT bucket_start FROM rollups WHERE {_VERSION_ROWS} AND grain = 'hour' ORDER BY bucket_start LIMIT 1
) AS first_hour
CROSS JOIN LATERAL (
    SELECT bucket_start FROM rollups WHERE {_VERSION_ROWS} AND grain = 'hour' ORDER BY bucket_start DESC LIMIT 1
) AS last_hour
LEFT JOIN LATERAL (
    SELECT bucket_start
    FROM rollups
    WHERE {_VERSION_ROWS} AND grain = 'minute'
      AND bucket_start >= first_hour.bucket_start AND bucket_start < first_hour.bucket_start + interval '1 hour'
    ORDER BY bucket_start
    LIMIT 1
) AS first_minute ON true
LEFT JOIN LATERAL (
    SELECT bucket_start
    FROM rollups
    WHERE {_VERSION_ROWS} AND grain = 'minute' AND bucket_start >= last_hour.bucket_start
    ORDER BY bucket_start DESC
    LIMIT 1
) AS last_minute ON true
WHERE version.id = ANY (%(keys)s::bigint[])
   OR version.id IN (
       SELECT id FROM prompt_versions WHERE prompt_key = %(prompt_key)s ORDER BY id DESC LIMIT %(newest)s
   )
"""

SELECT_VERSIONS_WITH_MOMENTS = f"""
SELECT version.id, version.version_hash, version.name,
       coalesce(sum(rollup.cost_sum_squares), 0), coalesce(sum(rollup.latency_log_sum), 0),
       coalesce(sum(rollup.latency_log_sum_squares), 0), coalesce(sum(rollup.score_sum_squares), 0), {SUMS}
FROM {ROLLUPS_OF_VERSIONS}
GROUP BY version.id, version.version_hash, version.name
"""

SELECT_VERSION_SERIES = f"""
SELECT version.id, date_trunc(%(interval)s, rollup.bucket_start, 'UTC') AS point_start, {SUMS}
FROM {ROLLUPS_OF_VERSIONS}
GROUP BY version.id, point_start
"""


class PromptActivity(NamedTuple):
    """A prompt in a range. `events_at`: events by the beginning of their rollup, in seconds since the epoch."""

    prompt_key: int
    prompt_id: UUID
    name: str | None
    events_at: list[tuple[int, int]]
    usage: UsageRow


class VersionSeen(NamedTuple):
    """A version, and the minutes or hours in which its first and last events lie."""

    version_key: int
    version_hash: str
    name: str | None
    first_seen: datetime
    last_seen: datetime


class Moments(NamedTuple):
    """What a comparison needs besides sums: sums of squares, and of the natural logarithms of latencies in ms."""

    cost_sum_squares: Decimal
    latency_log_sum: float
    latency_log_sum_squares: float
    score_sum_squares: Decimal


class VersionRow(NamedTuple):
    """A version in a range."""

    version_key: int
    version_hash: str
    name: str | None
    moments: Moments
    usage: UsageRow


def select_prompt(connection: Connection, project_id: int, prompt_id: UUID) -> tuple[int, str | None] | None:
    """The key and the name of a prompt, if the project has it."""
    return connection.execute(SELECT_PROMPT, {"project_id": project_id, "prompt_id": prompt_id}).fetchone()


def select_ever_used(connection: Connection, project_id: int) -> bool:
    """Whether the project has ever had an event."""
    row = connection.execute(SELECT_EVER_USED, {"project_id": project_id}).fetchone()
    return row is not None and bool(row[0])


def select_matching_prompts(connection: Connection, project_id: int, search: str) -> list[int]:
    """Keys of the prompts whose id or name contains the text, in any case."""
    rows = connection.execute(SELECT_MATCHING_PROMPTS, {"project_id": project_id, "search": search})
    return [key for (key,) in rows]


def select_prompts_with_activity(
    connection: Connection, project_id: int, parts: Sequence[Part], only: Sequence[int] | None
) -> list[PromptActivity]:
    """The prompts with events, in any order; all of them, or only those with certain keys."""
    parameters = {"project_id": project_id, "only": only, **part_columns(parts)}
    rows = connection.execute(SELECT_PROMPTS_WITH_ACTIVITY, parameters, binary=True).fetchall()
    return [
        PromptActivity(key, prompt_id, name, list(zip(starts, events, strict=True)), UsageRow(*sums))
        for key, prompt_id, name, starts, events, *sums in rows
    ]


def select_prompts_last_seen(connection: Connection, project_id: int, keys: Sequence[int]) -> dict[int, datetime]:
    """When each prompt had its last event, to the minute or, where that is long ago, to the hour."""
    parameters = {"project_id": project_id, "keys": keys}
    return dict(connection.execute(SELECT_PROMPTS_LAST_SEEN, parameters, binary=True).fetchall())


def select_versions_seen(
    connection: Connection, project_id: int, prompt_key: int, keys: Sequence[int], *, newest: int
) -> list[VersionSeen]:
    """Those with the keys and the newest ones, as far as they have events, in any order."""
    parameters = {"project_id": project_id, "prompt_key": prompt_key, "keys": keys, "newest": newest}
    return [VersionSeen(*row) for row in connection.execute(SELECT_VERSIONS_SEEN, parameters, binary=True).fetchall()]


def select_versions_with_moments(
    connection: Connection, project_id: int, prompt_key: int, parts: Sequence[Part], only: Sequence[int] | None
) -> list[VersionRow]:
    """The versions with events, in any order; all of them, or only those with certain keys."""
    parameters = {"project_id": project_id, "prompt_key": prompt_key, "only": only, **part_columns(parts)}
    rows = connection.execute(SELECT_VERSIONS_WITH_MOMENTS, parameters, binary=True).fetchall()
    return [
        VersionRow(key, version_hash, name, Moments(*sums[:4]), UsageRow(*sums[4:]))
        for key, version_hash, name, *sums in rows
    ]


def select_version_series(
    connection: Connection,
    project_id: int,
    prompt_key: int,
    parts: Sequence[Part],
    *,
    interval: Grain,
    only: Sequence[int],
) -> list[tuple[tuple[int, datetime], UsageRow]]:
    """By key of a version and beginning of a bucket, in any order; buckets without events are left out."""
    parameters = {
        "project_id": project_id,
        "prompt_key": prompt_key,
        "interval": interval,
        "only": only,
        **part_columns(parts),
    }
    rows = connection.execute(SELECT_VERSION_SERIES, parameters, binary=True).fetchall()
    return [((key, start), UsageRow(*sums)) for key, start, *sums in rows]

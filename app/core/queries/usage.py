"""Reading rollups. The histograms of one group come concatenated, which is how histograms are merged."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, LiteralString, NamedTuple
from uuid import UUID

from app.core.database import Connection
from app.core.rollups.grains import Grain
from app.core.rollups.time_range import Part

SUMS = """
    coalesce(sum(rollup.events), 0)::bigint AS events,
    coalesce(sum(rollup.cost_count), 0)::bigint, sum(rollup.cost_sum),
    coalesce(sum(rollup.latency_count), 0)::bigint, sum(rollup.latency_sum),
    min(rollup.latency_min), max(rollup.latency_max), string_agg(rollup.latency_histogram, ''::bytea),
    coalesce(sum(rollup.score_count), 0)::bigint, sum(rollup.score_sum),
    min(rollup.score_min), max(rollup.score_max)
"""
_MEASURES = """prompt_key, version_key, bucket_start, events, cost_count, cost_sum,
           latency_count, latency_sum, latency_min, latency_max, latency_histogram,
           score_count, score_sum, score_min, score_max,
           cost_sum_squares, latency_log_sum, latency_log_sum_squares, score_sum_squares"""
_PARTS = """unnest(%(grains)s::text[], %(starts)s::timestamptz[], %(ends)s::timestamptz[])
     AS part (grain, start_at, end_at)"""
_WITHIN_PART = "grain = part.grain AND bucket_start >= part.start_at AND bucket_start < part.end_at"

# OFFSET 0 keeps the planner from a hash join with all rollups: each part is one range of an index, ten times as fast.
_ROLLUPS_OF_ONE = f"""{_PARTS}
CROSS JOIN LATERAL (
    SELECT {_MEASURES}
    FROM rollups
    WHERE project_id = %(project_id)s AND prompt_key = %(prompt_key)s AND version_key = 0 AND {_WITHIN_PART}
    OFFSET 0
) AS rollup"""

ROLLUPS_OF_PROMPTS = f"""{_PARTS}
CROSS JOIN LATERAL (
    SELECT {_MEASURES}
    FROM rollups
    WHERE project_id = %(project_id)s AND prompt_key > 0 AND version_key = 0 AND {_WITHIN_PART}
      AND (%(only)s::bigint[] IS NULL OR prompt_key = ANY (%(only)s::bigint[]))
    OFFSET 0
) AS rollup"""

ROLLUPS_OF_VERSIONS = f"""{_PARTS}
CROSS JOIN (
    SELECT id, version_hash, name
    FROM prompt_versions
    WHERE prompt_key = %(prompt_key)s AND (%(only)s::bigint[] IS NULL OR id = ANY (%(only)s::bigint[]))
) AS version
CROSS JOIN LATERAL (
    SELECT {_MEASURES}
    FROM rollups
    WHERE project_id = %(project_id)s AND prompt_key = %(prompt_key)s AND version_key = version.id AND {_WITHIN_PART}
    OFFSET 0
) AS rollup"""

SELECT_PROMPT_KEY = "SELECT id FROM prompts WHERE project_id = %(project_id)s AND prompt_id = %(prompt_id)s"

SELECT_HAS_EVENTS = """
SELECT EXISTS (
    SELECT FROM rollups
    WHERE project_id = %(project_id)s AND prompt_key = 0 AND version_key = 0 AND grain = %(grain)s
      AND bucket_start >= %(start)s AND bucket_start < %(end)s
)
"""

SELECT_TOTALS = f"SELECT {SUMS} FROM {_ROLLUPS_OF_ONE}"

# Without a point: the totals of all of them.
SELECT_SERIES = f"""
SELECT date_trunc(%(interval)s, rollup.bucket_start, 'UTC') AS point_start, {SUMS}
FROM {_ROLLUPS_OF_ONE}
GROUP BY GROUPING SETS ((), (point_start))
"""

# OFFSET in EXISTS: nothing is read unless there are more than `limit` of them.
SELECT_BUSIEST_PROMPTS = f"""
SELECT rollup.prompt_key
FROM {ROLLUPS_OF_PROMPTS}
WHERE EXISTS (SELECT FROM prompts WHERE project_id = %(project_id)s OFFSET %(limit)s)
GROUP BY rollup.prompt_key
ORDER BY sum(rollup.events) DESC, rollup.prompt_key
LIMIT %(limit)s + 1
"""

SELECT_BUSIEST_VERSIONS = f"""
SELECT rollup.version_key
FROM {ROLLUPS_OF_VERSIONS}
WHERE EXISTS (SELECT FROM prompt_versions WHERE prompt_key = %(prompt_key)s OFFSET %(limit)s)
GROUP BY rollup.version_key
ORDER BY sum(rollup.events) DESC, rollup.version_key
LIMIT %(limit)s + 1
"""

# No ORDER BY in these two: it would sort the histograms, too.
SELECT_PROMPTS = f"""
SELECT prompts.prompt_id, {SUMS}
FROM {ROLLUPS_OF_PROMPTS}
JOIN prompts ON prompts.id = rollup.prompt_key
GROUP BY prompts.id
"""

SELECT_VERSIONS = f"""
SELECT version.version_hash, {SUMS}
FROM {ROLLUPS_OF_VERSIONS}
GROUP BY version.id, version.version_hash
"""


Parameters = dict[str, Any]


class UsageRow(NamedTuple):
    """Merged rollups. Extremes are None where their count is 0; sums and histogram too where there is no row at all."""

    events: int
    cost_count: int
    cost_sum: Decimal | None
    latency_count: int
    latency_sum: Decimal | None
    latency_min: Decimal | None
    latency_max: Decimal | None
    latency_histogram: bytes | None
    score_count: int
    score_sum: Decimal | None
    score_min: Decimal | None
    score_max: Decimal | None


def select_prompt_key(connection: Connection, project_id: int, prompt_id: UUID) -> int | None:
    """The key of a prompt in rollups, if the project has it."""
    row = connection.execute(SELECT_PROMPT_KEY, {"project_id": project_id, "prompt_id": prompt_id}).fetchone()
    return None if row is None else row[0]


def select_has_events(connection: Connection, project_id: int, part: Part) -> bool:
    """Whether the project has any event in a stretch of time."""
    row = connection.execute(SELECT_HAS_EVENTS, {"project_id": project_id, **part._asdict()}).fetchone()
    return row is not None and bool(row[0])


def select_totals(connection: Connection, project_id: int, prompt_key: int, parts: Sequence[Part]) -> UsageRow:
    """Usage of a whole prompt, or of the whole project where `prompt_key` is 0."""
    parameters = {"project_id": project_id, "prompt_key": prompt_key}
    row = connection.execute(SELECT_TOTALS, parameters | part_columns(parts), binary=True).fetchone()
    assert row is not None
    return UsageRow(*row)


def select_series(
    connection: Connection, project_id: int, prompt_key: int, parts: Sequence[Part], interval: Grain
) -> tuple[UsageRow, list[tuple[datetime, UsageRow]]]:
    """The same, and by beginning of bucket, in any order; buckets without events are left out."""
    parameters = {"project_id": project_id, "prompt_key": prompt_key, "interval": interval}
    rows = _select_usage(connection, SELECT_SERIES, parameters, parts)
    (totals,) = [row for start, row in rows if start is None]
    return totals, [(start, row) for start, row in rows if start is not None]


def select_prompts(
    connection: Connection, project_id: int, parts: Sequence[Part], only: Sequence[int] | None
) -> list[tuple[UUID, UsageRow]]:
    """Usage by prompt id, in any order, of all prompts with events or only of those with certain keys."""
    return _select_usage(connection, SELECT_PROMPTS, {"project_id": project_id, "only": only}, parts)


def select_versions(
    connection: Connection, project_id: int, prompt_key: int, parts: Sequence[Part], only: Sequence[int] | None
) -> list[tuple[str, UsageRow]]:
    """Usage by version hash, in any order, of all versions with events or only of those with certain keys."""
    parameters = {"project_id": project_id, "prompt_key": prompt_key, "only": only}
    return _select_usage(connection, SELECT_VERSIONS, parameters, parts)


def select_busiest_prompts(
    connection: Connection, project_id: int, parts: Sequence[Part], limit: int, only: Sequence[int] | None = None
) -> list[int]:
    """Keys of the prompts with the most events (of all, or of `only` these).

    One more than `limit` where there are more. Where the project has no more than `limit` prompts nothing is read,
    and the list is empty.
    """
    parameters = {"project_id": project_id, "only": only, "limit": limit}
    return _select_keys(connection, SELECT_BUSIEST_PROMPTS, parameters, parts)


def select_busiest_versions(
    connection: Connection, project_id: int, prompt_key: int, parts: Sequence[Part], limit: int
) -> list[int]:
    """The same for the versions of a prompt."""
    parameters = {"project_id": project_id, "prompt_key": prompt_key, "only": None, "limit": limit}
    return _select_keys(connection, SELECT_BUSIEST_VERSIONS, parameters, parts)


def _select_keys(
    connection: Connection, sql: LiteralString, parameters: Parameters, parts: Sequence[Part]
) -> list[int]:
    return [key for (key,) in connection.execute(sql, parameters | part_columns(parts)).fetchall()]


def _select_usage(
    connection: Connection, sql: LiteralString, parameters: Parameters, parts: Sequence[Part]
) -> list[tuple[Any, UsageRow]]:
    rows = connection.execute(sql, parameters | part_columns(parts), binary=True).fetchall()
    return [(key, UsageRow(*sums)) for key, *sums in rows]


def part_columns(parts: Sequence[Part]) -> Parameters:
    """The parameters that ROLLUPS_OF_… take for the parts."""
    return {
        "grains": [part.grain for part in parts],
        "starts": [part.start for part in parts],
        "ends": [part.end for part in parts],
    }

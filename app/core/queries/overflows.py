"""How many prompts and versions are new today, and who sent more of them than may be registered.

Days are those of UTC, by PostgreSQL's clock.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import LiteralString
from uuid import UUID

from app.core.contract import OTHER_PROMPT, OTHER_VERSION
from app.core.database import Connection
from app.core.queries.deletion import delete_in_batches
from app.core.queries.rows import all_rows, one_value

KEPT = timedelta(days=400)
WHOLE_PROJECT = 0
"""The prompt_key of an overflow of prompts."""

_TODAY = "date_trunc('day', now(), 'UTC')"
_DATE = "(now() AT TIME ZONE 'UTC')::date"


@dataclass(frozen=True, slots=True, kw_only=True)
class NewToday:
    """How many are new of one project or prompt, counted up to a limit; `key` is that of the project or prompt."""

    key: int
    new: int


# By statistics from before the flood all ways to count look alike, and some read all versions of a prompt, or all of
# today. Only the index by prompt (or project) and time serves this order, and a row comparison, without sorting.
_WITHOUT_SORTING = "SELECT set_config('enable_sort', 'off', true), set_config('enable_incremental_sort', 'off', true)"


def _counted(connection: Connection, sql: LiteralString, parameters: Mapping[str, object]) -> dict[int, int]:
    with connection.transaction():
        connection.execute(_WITHOUT_SORTING)
        rows = all_rows(connection, NewToday, sql, parameters, binary=True)
    return {row.key: row.new for row in rows}


def count_new_prompts(connection: Connection, project_ids: Collection[int], *, limit: int) -> dict[int, int]:
    """By project."""
    sql = f"""
        SELECT wanted.project_id AS key, counted.new
        FROM unnest(%(project_ids)s::integer[]) AS wanted (project_id)
        CROSS JOIN LATERAL (
            SELECT count(*) AS new
            FROM (
                SELECT
                FROM prompts
                WHERE (project_id, created_at) >= (wanted.project_id, {_TODAY})
                  AND project_id <= wanted.project_id AND NOT is_other
                ORDER BY project_id, created_at
                LIMIT %(limit)s
            ) AS registered
        ) AS counted
    """
    return _counted(connection, sql, {"project_ids": list(project_ids), "limit": limit})


def count_new_versions(connection: Connection, prompt_keys: Collection[int], *, limit: int) -> dict[int, int]:
    """By prompt."""
    sql = f"""
        SELECT wanted.prompt_key AS key, counted.new
        FROM unnest(%(prompt_keys)s::bigint[]) AS wanted (prompt_key)
        CROSS JOIN LATERAL (
            SELECT count(*) AS new
            FROM (
                SELECT
                FROM prompt_versions
                WHERE (prompt_key, created_at) >= (wanted.prompt_key, {_TODAY})
                  AND prompt_key <= wanted.prompt_key AND NOT is_other
                ORDER BY prompt_key, created_at
                LIMIT %(limit)s
            ) AS registered
        ) AS counted
    """
    return _counted(connection, sql, {"prompt_keys": list(prompt_keys), "limit": limit})


@dataclass(frozen=True, slots=True, kw_only=True)
class Overflow:
    """A prompt that sent more new versions on a day than `allowed`; without an id: a project, more new prompts."""

    project_id: int
    project: str
    prompt_id: UUID | None
    name: str | None
    allowed: int
    day: date


@dataclass(frozen=True, slots=True, kw_only=True)
class OverflowKey:
    """`prompt_key` is WHOLE_PROJECT where it is about prompts."""

    project_id: int
    prompt_key: int


def insert_overflows(
    connection: Connection, project_ids: Collection[int], prompt_keys: Collection[int], *, allowed: int
) -> list[OverflowKey]:
    """Keep today's; returns those that nobody has kept yet, so that one worker tells of each, once a day."""
    sql = f"""
        INSERT INTO overflows (project_id, prompt_key, day, allowed)
        SELECT project_id, prompt_key, {_DATE}, %(allowed)s
        FROM unnest(%(project_ids)s::integer[], %(prompt_keys)s::bigint[]) AS wanted (project_id, prompt_key)
        ORDER BY project_id, prompt_key
        ON CONFLICT DO NOTHING
        RETURNING project_id, prompt_key
    """
    parameters = {"project_ids": list(project_ids), "prompt_keys": list(prompt_keys), "allowed": allowed}
    return all_rows(connection, OverflowKey, sql, parameters)


@dataclass(frozen=True, slots=True, kw_only=True)
class Other:
    """A version "(other)"; `prompt_key` is None where its prompt is "(other)", too."""

    version_key: int
    prompt_key: int | None


def select_others(connection: Connection, version_keys: Collection[int]) -> dict[int, int | None]:
    """Which of these versions are "(other)": the keys of their prompts, None where that is "(other)", too."""
    sql = """
        SELECT version.id AS version_key, CASE WHEN NOT prompts.is_other THEN prompts.id END AS prompt_key
        FROM prompt_versions AS version
        JOIN prompts ON prompts.id = version.prompt_key
        WHERE version.id = ANY (%(version_keys)s::bigint[]) AND version.is_other
    """
    rows = all_rows(connection, Other, sql, {"version_keys": list(version_keys)})
    return {row.version_key: row.prompt_key for row in rows}


_OVERFLOWS = """
    SELECT overflows.project_id, projects.name AS project, prompts.prompt_id, prompts.name, overflows.allowed,
           overflows.day
    FROM overflows
    JOIN projects ON projects.id = overflows.project_id
    LEFT JOIN prompts ON prompts.id = overflows.prompt_key
"""


def select_overflows(
    connection: Connection, since: date, *, project_id: int | None, prompt_id: UUID | None = None, limit: int
) -> list[Overflow]:
    """The latest of the days from `since` on, those of projects first: of the whole service, a project or a prompt.

    What is about prompts is of the prompt "(other)".
    """
    sql = f"""{_OVERFLOWS}
        WHERE overflows.day >= %(since)s
          AND (%(project_id)s::integer IS NULL OR overflows.project_id = %(project_id)s)
          AND (%(prompt_id)s::uuid IS NULL OR coalesce(prompts.prompt_id, %(other)s) = %(prompt_id)s)
        ORDER BY overflows.day DESC, overflows.prompt_key > 0, overflows.began_at, overflows.prompt_key
        LIMIT %(limit)s
    """
    parameters = {"since": since, "project_id": project_id, "prompt_id": prompt_id, "limit": limit}
    parameters |= {"other": OTHER_PROMPT}
    return all_rows(connection, Overflow, sql, parameters)


def select_overflows_of_today(connection: Connection, keys: Sequence[OverflowKey]) -> list[Overflow]:
    """Those with certain keys, of each project the one of its prompts first."""
    sql = f"""{_OVERFLOWS}
        JOIN unnest(%(project_ids)s::integer[], %(prompt_keys)s::bigint[]) AS wanted (project_id, prompt_key)
             ON wanted.project_id = overflows.project_id AND wanted.prompt_key = overflows.prompt_key
        WHERE overflows.day = {_DATE}
        ORDER BY overflows.project_id, overflows.prompt_key
    """
    parameters = {
        "project_ids": [key.project_id for key in keys],
        "prompt_keys": [key.prompt_key for key in keys],
    }
    return all_rows(connection, Overflow, sql, parameters)


def delete_old_overflows(connection: Connection, now: datetime) -> None:
    """Delete what is older than KEPT, a batch at a time, and no more batches than one upkeep may take."""
    sql = """
        DELETE FROM overflows
        WHERE (day, project_id, prompt_key) IN (
            SELECT day, project_id, prompt_key
            FROM overflows
            WHERE day < (%(before)s::timestamptz AT TIME ZONE 'UTC')::date
            ORDER BY day
            LIMIT %(limit)s
        )
    """
    delete_in_batches(connection, sql, before=now - KEPT)


def count_events_under_other(connection: Connection) -> int:
    """Of today, in all projects: how many are counted under "(other)" because of what came today."""
    sql = f"""
        SELECT coalesce(sum(day.events), 0)::bigint + coalesce(sum(unfolded.events), 0)::bigint
        FROM overflows
        CROSS JOIN LATERAL (
            SELECT id, prompt_key
            FROM prompt_versions
            WHERE prompt_versions.version_hash = %(other)s
              AND prompt_versions.prompt_key = CASE
                  WHEN overflows.prompt_key > 0 THEN overflows.prompt_key
                  ELSE (
                      SELECT id
                      FROM prompts
                      WHERE prompts.project_id = overflows.project_id AND prompts.prompt_id = %(other_prompt)s
                  )
              END
            LIMIT 1
        ) AS version
        LEFT JOIN rollups AS day
               ON day.project_id = overflows.project_id
              AND day.prompt_key = version.prompt_key
              AND day.version_key = version.id
              AND day.grain = 'day'
              AND day.bucket_start = {_TODAY}
        LEFT JOIN (
            SELECT version_key, sum(events) AS events
            FROM rollup_additions
            WHERE bucket_start >= {_TODAY}
            GROUP BY version_key
        ) AS unfolded ON unfolded.version_key = version.id
        WHERE overflows.day = {_DATE}
    """
    return int(one_value(connection, sql, {"other": OTHER_VERSION, "other_prompt": OTHER_PROMPT}))

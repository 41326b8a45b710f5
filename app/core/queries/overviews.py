"""What the pages ask of the rollups beyond what the read API asks: searches, what was seen when."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, LiteralString

from app.core.database import Connection
from app.core.queries.distribution import is_distributed
from app.core.queries.rows import all_rows, all_values, one_row, one_value
from app.core.queries.seen import (
    FIRST_HOUR,
    FIRST_SEEN,
    LAST_SEEN,
    OF_MANY_PROMPTS,
    OF_ONE_PROMPT,
    joined_first_hour,
    joined_first_minute,
    joined_last_minute,
)
from app.core.queries.seen_on_nodes import PROMPTS_LAST_SEEN

_LARGEST_KEY = 2**63 - 1


def select_ever_used(connection: Connection, project_id: int) -> bool:
    sql = """
        SELECT EXISTS (SELECT 1 FROM rollups WHERE project_id = %(project_id)s AND prompt_key = 0 AND version_key = 0)
               OR EXISTS (SELECT 1 FROM rollup_additions WHERE project_id = %(project_id)s)
    """
    return bool(one_value(connection, sql, {"project_id": project_id}))


def select_matching_prompts(connection: Connection, project_id: int, search: str) -> list[int]:
    """Keys of the prompts whose id or name contains the text, in any case."""
    sql = """
        SELECT id
        FROM prompts
        WHERE project_id = %(project_id)s
          AND (strpos(lower(name), lower(%(search)s)) > 0 OR strpos(prompt_id::text, lower(%(search)s)) > 0)
        ORDER BY id
    """
    return all_values(connection, sql, {"project_id": project_id, "search": search})


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptSeen:
    """When a prompt had its last event, to the minute or, where that is long ago, to the hour."""

    prompt_key: int
    last_seen: datetime


def select_prompts_last_seen(connection: Connection, project_id: int, keys: Sequence[int]) -> dict[int, datetime]:
    """The times of `PromptSeen` by key."""
    # Minutes are more exact, but only the last days have them.
    sql = """
        SELECT prompt.key AS prompt_key, greatest(hour.bucket_start, minute.bucket_start, unfolded.minute) AS last_seen
        FROM unnest(%(keys)s::bigint[]) AS prompt (key)
        LEFT JOIN (
            SELECT prompt_key, max(bucket_start) AS minute
            FROM rollup_additions
            WHERE project_id = %(project_id)s
            GROUP BY prompt_key
        ) AS unfolded ON unfolded.prompt_key = prompt.key
        LEFT JOIN LATERAL (
            SELECT bucket_start
            FROM rollups
            WHERE project_id = %(project_id)s AND prompt_key = prompt.key AND version_key = 0 AND grain = 'hour'
            ORDER BY bucket_start DESC
            LIMIT 1
        ) AS hour ON true
        LEFT JOIN LATERAL (
            SELECT bucket_start
            FROM rollups
            WHERE project_id = %(project_id)s AND prompt_key = prompt.key AND version_key = 0 AND grain = 'minute'
              AND bucket_start >= hour.bucket_start
            ORDER BY bucket_start DESC
            LIMIT 1
        ) AS minute ON true
        WHERE hour.bucket_start IS NOT NULL OR unfolded.minute IS NOT NULL
    """
    parameters = {"project_id": project_id, "keys": keys}
    statement = PROMPTS_LAST_SEEN if is_distributed(connection) else sql
    rows = all_rows(connection, PromptSeen, statement, parameters, binary=True)
    return {row.prompt_key: row.last_seen for row in rows}


FEW_VERSIONS = 50


def _versions_seen(
    which: LiteralString, seen: LiteralString = "true", prompts: LiteralString = OF_ONE_PROMPT
) -> LiteralString:
    """The columns of VersionSeen, of those versions of the prompts that have events."""
    rows: LiteralString = OF_ONE_PROMPT if prompts == OF_ONE_PROMPT else OF_MANY_PROMPTS
    # OFFSET 0: versions are found first, by an index of their own, whatever the planner thinks of the joins.
    return f"""
    SELECT version.prompt_key, version.id AS version_key, version.version_hash, version.name,
           {FIRST_SEEN} AS first_seen,
           {LAST_SEEN} AS last_seen
    FROM (
        SELECT id, prompt_key, version_hash, name
        FROM prompt_versions
        WHERE {prompts} AND {which}
        OFFSET 0
    ) AS version
    {joined_first_hour(f"project_id = %(project_id)s AND {prompts}", rows)}
    {joined_first_minute(rows)}
    {joined_last_minute(rows)}
    WHERE {FIRST_HOUR} IS NOT NULL AND {seen}
    """


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionSeen:
    """A version, and the minutes or hours in which its first and last events lie."""

    prompt_key: int
    version_key: int
    version_hash: str
    name: str | None
    first_seen: datetime
    last_seen: datetime


def select_versions_seen(
    connection: Connection, project_id: int, prompt_key: int, keys: Sequence[int]
) -> list[VersionSeen]:
    """Those with the keys, as far as they have events, in any order."""
    sql = _versions_seen("id = ANY (%(keys)s::bigint[])")
    parameters = {"project_id": project_id, "prompt_key": prompt_key, "keys": keys}
    return all_rows(connection, VersionSeen, sql, parameters, binary=True)


def select_version_by_hash(
    connection: Connection, project_id: int, prompt_key: int, version_hash: str
) -> VersionSeen | None:
    """None where the prompt has no such version, or none with events, and for "(other)", which is many versions."""
    sql = _versions_seen("""version_hash = %(version_hash)s COLLATE "C" AND NOT is_other""")
    parameters = {"project_id": project_id, "prompt_key": prompt_key, "version_hash": version_hash}
    return one_row(connection, VersionSeen, sql, parameters)


def select_newest_versions(
    connection: Connection, project_id: int, prompt_key: int, limit: int, *, before: VersionSeen | None = None
) -> list[VersionSeen]:
    """The newest by their first events, newest first: of all, or of those that began before one of them.

    Of two that began in the same minute, the one that was registered later is the newer one.
    """
    which: LiteralString = "created_at >= %(registered_since)s::timestamptz AND NOT is_other"
    before_it: LiteralString = f"({FIRST_SEEN}, version.id) < (%(before)s::timestamptz, %(before_key)s::bigint)"
    sql = f"""{_versions_seen(which, before_it)}
        ORDER BY first_seen DESC, version.id DESC
        LIMIT %(limit)s
    """
    parameters = {
        "project_id": project_id,
        "prompt_key": prompt_key,
        "limit": limit,
        "before": before.first_seen if before else "infinity",
        "before_key": before.version_key if before else _LARGEST_KEY,
    }
    registered_since = _newest_are_registered_since(connection, parameters) or "-infinity"
    return all_rows(connection, VersionSeen, sql, parameters | {"registered_since": registered_since}, binary=True)


def select_newest_of_few(
    connection: Connection, project_id: int, prompt_keys: Sequence[int], limit: int
) -> list[VersionSeen]:
    """The same for each of several prompts in one go, without those that have more than FEW_VERSIONS.

    None where the database is distributed: there each prompt is asked for by itself.
    """
    if is_distributed(connection):
        return []
    prompts: LiteralString = "prompt_key = ANY (%(prompt_keys)s::bigint[])"
    # As in `select_renewed_prompts`, BETWEEN keeps to the prompt's own part of the index.
    few: LiteralString = """prompt_key = ANY (ARRAY(
            SELECT prompt.key
            FROM unnest(%(prompt_keys)s::bigint[]) AS prompt (key)
            WHERE NOT EXISTS (
                SELECT
                FROM prompt_versions AS version
                WHERE version.prompt_key BETWEEN prompt.key AND prompt.key
                ORDER BY version.prompt_key, version.created_at
                OFFSET %(few_versions)s
            )
        ))"""
    sql = f"""
        SELECT prompt_key, version_key, version_hash, name, first_seen, last_seen
        FROM (
            SELECT seen.*,
                   row_number() OVER (PARTITION BY prompt_key ORDER BY first_seen DESC, version_key DESC) AS place
            FROM ({_versions_seen(few, prompts=prompts)}) AS seen
        ) AS ranked
        WHERE place <= %(limit)s
        ORDER BY prompt_key, place
    """
    parameters = {"project_id": project_id, "prompt_keys": prompt_keys, "limit": limit, "few_versions": FEW_VERSIONS}
    return all_rows(connection, VersionSeen, sql, parameters, binary=True)


def _newest_are_registered_since(connection: Connection, parameters: dict[str, Any]) -> datetime | None:
    """A time before which none of the newest versions was registered, with the parameters above; None: any may be.

    A statement of its own: PostgreSQL plans for the few versions after a time only where it knows the time.
    """
    # An event lies at most minutes ahead of the time at which its version is registered, but may lie a month before it.
    # So the last ones registered give a time after which all of the newest must have been registered. Where these are
    # all that there are, nothing is read.
    sql = f"""
        SELECT first_hour - interval '1 hour'
        FROM (
            SELECT {FIRST_HOUR} AS first_hour
            FROM (
                SELECT id, prompt_key
                FROM prompt_versions
                WHERE prompt_key = %(prompt_key)s AND NOT is_other
                  AND created_at <= coalesce(
                      (SELECT created_at FROM prompt_versions WHERE id = %(before_key)s), 'infinity'
                  )
                ORDER BY created_at DESC
                LIMIT 10 + %(limit)s
            ) AS version
            {joined_first_hour(f"project_id = %(project_id)s AND {OF_ONE_PROMPT}", OF_ONE_PROMPT)}
        ) AS version
        WHERE first_hour <= %(before)s::timestamptz - interval '1 hour'
          AND EXISTS (SELECT 1 FROM prompt_versions WHERE prompt_key = %(prompt_key)s OFFSET 10 + %(limit)s)
        ORDER BY first_hour DESC
        OFFSET %(limit)s - 1
        LIMIT 1
    """
    since: datetime | None = one_value(connection, sql, parameters)
    return since

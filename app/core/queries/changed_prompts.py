"""Prompts that have got another version lately, versions that are new, and what prompts are called."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from app.core.database import Connection
from app.core.queries.distribution import is_distributed
from app.core.queries.rows import all_rows
from app.core.queries.seen import FIRST_HOUR, FIRST_SEEN, OF_MANY_PROMPTS, joined_first_hour, joined_first_minute
from app.core.queries.seen_on_nodes import VERSIONS_THAT_BEGAN

MOST_LOOKED_AT = 500
"""A project that has more new versions has them by mistake."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptNames:
    """What names a prompt in rollups, to programs, and to people."""

    prompt_key: int
    prompt_id: UUID
    name: str | None


def select_renewed_prompts(
    connection: Connection, project_id: int, since: datetime, *, limit: int
) -> list[PromptNames]:
    """Those that had a version registered since then and another one before it, the latest first."""
    # One look at the index for each prompt of the project, whatever others have. With = and few prompts that have most
    # of the versions, the planner would rather walk those of all projects. Ordered inside, so that a second version is
    # looked for only until there are enough.
    sql = """
        SELECT prompt_key, prompt_id, name
        FROM (
            SELECT prompts.id AS prompt_key, prompts.prompt_id, prompts.name, newest.created_at
            FROM prompts
            CROSS JOIN LATERAL (
                SELECT created_at
                FROM prompt_versions
                WHERE prompt_key BETWEEN prompts.id AND prompts.id AND NOT is_other
                ORDER BY prompt_key DESC, created_at DESC
                LIMIT 1
            ) AS newest
            WHERE prompts.project_id = %(project_id)s AND newest.created_at >= %(since)s
            ORDER BY newest.created_at DESC, prompts.id DESC
        ) AS newest
        WHERE EXISTS (
            SELECT
            FROM prompt_versions AS version
            WHERE version.prompt_key BETWEEN newest.prompt_key AND newest.prompt_key AND NOT version.is_other
            ORDER BY version.prompt_key, version.created_at
            OFFSET 1
        )
        ORDER BY created_at DESC, prompt_key DESC
        LIMIT %(limit)s
    """
    return all_rows(connection, PromptNames, sql, {"project_id": project_id, "since": since, "limit": limit})


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionBegan:
    """A version of a prompt, and the minute or, where that is long ago, the hour of its first event."""

    prompt_id: UUID
    prompt_name: str | None
    version_hash: str
    name: str | None
    first_seen: datetime


def select_versions_that_began(
    connection: Connection, project_id: int, start: datetime, end: datetime, *, limit: int
) -> list[VersionBegan]:
    """The latest of those with their first event in this time, newest first; of the MOST_LOOKED_AT registered last."""
    # An event lies at most minutes ahead of the time at which its version is registered. OFFSET 0: for the last few of
    # them the planner would go back through the times of all projects' versions.
    sql = f"""
        SELECT version.prompt_id, version.prompt_name, version.version_hash, version.name, {FIRST_SEEN} AS first_seen
        FROM (
            SELECT prompt_id, prompt_name, id, prompt_key, version_hash, name
            FROM (
                SELECT prompts.prompt_id, prompts.name AS prompt_name, registered.*
                FROM prompts
                JOIN prompt_versions AS registered ON registered.prompt_key = prompts.id
                WHERE prompts.project_id = %(project_id)s
                  AND registered.created_at >= %(start)s::timestamptz - interval '1 hour' AND NOT registered.is_other
                OFFSET 0
            ) AS registered
            ORDER BY created_at DESC, id DESC
            LIMIT %(most)s
        ) AS version
        {joined_first_hour("project_id = %(project_id)s", OF_MANY_PROMPTS)}
        {joined_first_minute(OF_MANY_PROMPTS)}
        WHERE {FIRST_HOUR} > %(start)s::timestamptz - interval '1 hour' AND {FIRST_HOUR} < %(end)s
        ORDER BY {FIRST_HOUR} DESC, version.id DESC
        LIMIT %(limit)s
    """
    parameters = {"project_id": project_id, "start": start, "end": end, "limit": limit, "most": MOST_LOOKED_AT}
    statement = VERSIONS_THAT_BEGAN if is_distributed(connection) else sql
    return all_rows(connection, VersionBegan, statement, parameters, binary=True)


def select_prompt_names(connection: Connection, project_id: int, keys: Sequence[int]) -> list[PromptNames]:
    """In any order."""
    sql = """
        SELECT id AS prompt_key, prompt_id, name
        FROM prompts
        WHERE project_id = %(project_id)s AND id = ANY (%(keys)s::bigint[])
    """
    return all_rows(connection, PromptNames, sql, {"project_id": project_id, "keys": keys})

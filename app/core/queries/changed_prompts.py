"""Prompts that have got another version lately, and what prompts are called."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from app.core.database import Connection
from app.core.queries.rows import all_rows


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
    sql = """
        SELECT prompts.id AS prompt_key, prompts.prompt_id, prompts.name
        FROM prompts
        CROSS JOIN LATERAL (
            SELECT id, created_at
            FROM prompt_versions
            WHERE prompt_key = prompts.id
            ORDER BY id DESC
            LIMIT 1
        ) AS newest
        WHERE prompts.project_id = %(project_id)s
          AND newest.created_at >= %(since)s
          AND EXISTS (SELECT FROM prompt_versions WHERE prompt_key = prompts.id AND id < newest.id)
        ORDER BY newest.id DESC
        LIMIT %(limit)s
    """
    return all_rows(connection, PromptNames, sql, {"project_id": project_id, "since": since, "limit": limit})


def select_prompt_names(connection: Connection, project_id: int, keys: Sequence[int]) -> list[PromptNames]:
    """In any order."""
    sql = """
        SELECT id AS prompt_key, prompt_id, name
        FROM prompts
        WHERE project_id = %(project_id)s AND id = ANY (%(keys)s::bigint[])
    """
    return all_rows(connection, PromptNames, sql, {"project_id": project_id, "keys": keys})

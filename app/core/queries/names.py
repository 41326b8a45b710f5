"""What names a prompt in rollups, and the readable names that people give to prompts and versions."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from app.core.database import Connection
from app.core.queries.rows import all_rows, all_values, one_row


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptRow:
    """What names a prompt in rollups, and to people."""

    prompt_key: int
    name: str | None


def select_prompt(connection: Connection, project_id: int, prompt_id: UUID) -> PromptRow | None:
    """None for a prompt that the project has never used."""
    sql = """
        SELECT id AS prompt_key, name FROM prompts WHERE project_id = %(project_id)s AND prompt_id = %(prompt_id)s
    """
    return one_row(connection, PromptRow, sql, {"project_id": project_id, "prompt_id": prompt_id})


def select_matching_versions(connection: Connection, prompt_key: int, search: str) -> list[int]:
    """Keys of the versions whose hash or name contains the text, in any case."""
    sql = """
        SELECT id
        FROM prompt_versions
        WHERE prompt_key = %(prompt_key)s
          AND (strpos(lower(name), lower(%(search)s)) > 0 OR strpos(lower(version_hash), lower(%(search)s)) > 0)
        ORDER BY id
    """
    return all_values(connection, sql, {"prompt_key": prompt_key, "search": search})


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionKey:
    """What names a version in rollups and events, and to people."""

    version_key: int
    version_hash: str
    name: str | None


def select_version_keys(connection: Connection, prompt_key: int, hashes: Sequence[str]) -> list[VersionKey]:
    """Those of the versions with these hashes that the prompt has, in the order in which they were registered."""
    sql = """
        SELECT id AS version_key, version_hash, name
        FROM prompt_versions
        WHERE prompt_key = %(prompt_key)s AND version_hash = ANY (%(hashes)s::text[])
        ORDER BY id
    """
    return all_rows(connection, VersionKey, sql, {"prompt_key": prompt_key, "hashes": list(hashes)})


def update_prompt_name(
    connection: Connection, project_id: int, prompt_id: UUID, name: str | None, *, only_unset: bool = False
) -> bool:
    """Name a prompt, or take its name away; with `only_unset` only where it has none.

    False where nothing was named, because the project has no such prompt or it has a name.
    """
    sql = """
        UPDATE prompts
        SET name = %(name)s
        WHERE project_id = %(project_id)s AND prompt_id = %(prompt_id)s AND (name IS NULL OR NOT %(only_unset)s)
    """
    parameters = {"project_id": project_id, "prompt_id": prompt_id, "name": name, "only_unset": only_unset}
    return connection.execute(sql, parameters).rowcount == 1


def update_version_name(
    connection: Connection,
    project_id: int,
    prompt_id: UUID,
    version_hash: str,
    name: str | None,
    *,
    only_unset: bool = False,
) -> bool:
    """The same for a version of a prompt."""
    sql = """
        UPDATE prompt_versions
        SET name = %(name)s
        FROM prompts
        WHERE prompts.id = prompt_versions.prompt_key
          AND prompts.project_id = %(project_id)s AND prompts.prompt_id = %(prompt_id)s
          AND prompt_versions.version_hash = %(version_hash)s COLLATE "C"
          AND (prompt_versions.name IS NULL OR NOT %(only_unset)s)
    """
    parameters = {
        "project_id": project_id,
        "prompt_id": prompt_id,
        "version_hash": version_hash,
        "name": name,
        "only_unset": only_unset,
    }
    return connection.execute(sql, parameters).rowcount == 1

"""Prompts and prompt versions: the small numbers that stand for ids and hashes in events and rollups."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import NamedTuple
from uuid import UUID

from app.core.database import Connection
from app.core.queries.rows import all_rows


class Version(NamedTuple):
    """What names a prompt version to the outside; a tuple and no row class, because versions are looked up by it."""

    project_id: int
    prompt_id: UUID
    version_hash: str


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionKeys:
    """A version, and what names it in events and rollups."""

    project_id: int
    prompt_id: UUID
    version_hash: str
    prompt_key: int
    version_key: int


def select_version_keys(connection: Connection, versions: Collection[Version]) -> dict[Version, VersionKeys]:
    sql = """
        SELECT wanted.project_id, wanted.prompt_id, wanted.version_hash,
               prompts.id AS prompt_key, prompt_versions.id AS version_key
        FROM unnest(%(project_ids)s::integer[], %(prompt_ids)s::uuid[], %(version_hashes)s::text[])
             AS wanted (project_id, prompt_id, version_hash)
        JOIN prompts ON prompts.project_id = wanted.project_id AND prompts.prompt_id = wanted.prompt_id
        JOIN prompt_versions ON prompt_versions.prompt_key = prompts.id
                            AND prompt_versions.version_hash = wanted.version_hash COLLATE "C"
    """
    rows = all_rows(connection, VersionKeys, sql, _columns(versions))
    return {Version(row.project_id, row.prompt_id, row.version_hash): row for row in rows}


def insert_versions(connection: Connection, versions: Collection[Version]) -> None:
    """Make the versions known, and their prompts; those that are known already stay as they are.

    Rows are inserted in key order, so that two workers with the same new versions cannot deadlock.
    """
    insert_versions = """
        INSERT INTO prompt_versions (prompt_key, version_hash)
        SELECT DISTINCT prompts.id, wanted.version_hash COLLATE "C"
        FROM unnest(%(project_ids)s::integer[], %(prompt_ids)s::uuid[], %(version_hashes)s::text[])
             AS wanted (project_id, prompt_id, version_hash)
        JOIN prompts ON prompts.project_id = wanted.project_id AND prompts.prompt_id = wanted.prompt_id
        ORDER BY prompts.id, wanted.version_hash COLLATE "C"
        ON CONFLICT DO NOTHING
    """
    sql = """
        INSERT INTO prompts (project_id, prompt_id)
        SELECT DISTINCT wanted.project_id, wanted.prompt_id
        FROM unnest(%(project_ids)s::integer[], %(prompt_ids)s::uuid[]) AS wanted (project_id, prompt_id)
        ORDER BY wanted.project_id, wanted.prompt_id
        ON CONFLICT DO NOTHING
    """
    columns = _columns(versions)
    connection.execute(sql, columns)
    connection.execute(insert_versions, columns)


def _columns(versions: Collection[Version]) -> dict[str, list[object]]:
    return {
        "project_ids": [version.project_id for version in versions],
        "prompt_ids": [version.prompt_id for version in versions],
        "version_hashes": [version.version_hash for version in versions],
    }

"""Prompts and prompt versions: the small numbers that stand for ids and hashes in events and rollups."""

from collections.abc import Collection, Sequence
from typing import NamedTuple
from uuid import UUID

from psycopg.rows import class_row

from app.core.contract import OTHER_PROMPT, OTHER_VERSION
from app.core.database import Connection

VersionName = tuple[int, UUID, str]
"""As Version, without names for its parts: each event is looked up by one, and to make a named one takes longer."""


class Version(NamedTuple):
    """What names a prompt version to the outside; a tuple and no row class, because versions are looked up by it."""

    project_id: int
    prompt_id: UUID
    version_hash: str


class Prompt(NamedTuple):
    """What names a prompt to the outside."""

    project_id: int
    prompt_id: UUID


class VersionKeys(NamedTuple):
    """What names a version in events and rollups; a tuple, because many are held in memory."""

    prompt_key: int
    version_key: int


class FoundVersion(NamedTuple):
    """A row of SELECT_VERSIONS, by the number of the wanted one, from 1 on; no key where only the prompt is known."""

    number: int
    prompt_key: int
    version_key: int | None


# LATERAL and LIMIT: one look at the unique index for each, whatever the planner thinks of the number of rows. By joins
# it would read all versions of a prompt, or all that there are.
SELECT_VERSIONS = """
SELECT wanted.number, prompt.id AS prompt_key, version.id AS version_key
FROM unnest(%(project_ids)s::integer[], %(prompt_ids)s::uuid[], %(version_hashes)s::text[])
     WITH ORDINALITY AS wanted (project_id, prompt_id, version_hash, number)
CROSS JOIN LATERAL (
    SELECT id
    FROM prompts
    WHERE prompts.project_id = wanted.project_id AND prompts.prompt_id = wanted.prompt_id
    LIMIT 1
) AS prompt
LEFT JOIN LATERAL (
    SELECT id
    FROM prompt_versions
    WHERE prompt_versions.prompt_key = prompt.id AND prompt_versions.version_hash = wanted.version_hash COLLATE "C"
    LIMIT 1
) AS version ON true
"""


class LookedUp(NamedTuple):
    """What is registered of some versions: their keys, and those of the prompts of the others."""

    versions: dict[Version, VersionKeys]
    prompts: dict[Prompt, int]


def select_versions(connection: Connection, versions: Sequence[Version]) -> LookedUp:
    found = LookedUp({}, {})
    with connection.cursor(row_factory=class_row(FoundVersion)) as cursor:
        for number, prompt_key, version_key in cursor.execute(SELECT_VERSIONS, _columns(versions), binary=True):
            version = versions[number - 1]
            if version_key is None:
                found.prompts[prompt_of(version)] = prompt_key
            else:
                found.versions[version] = VersionKeys(prompt_key, version_key)
    return found


def prompt_of(version: Version) -> Prompt:
    return Prompt(version.project_id, version.prompt_id)


def insert_prompts(connection: Connection, prompts: Collection[Prompt]) -> None:
    """Make prompts known; those that are known already stay as they are.

    Rows are inserted in key order, here and below, so that two workers with the same new ones cannot deadlock.
    PostgreSQL refuses those of a project that is not there.
    """
    # Where the database is distributed no foreign key says so: then it is NULL that is refused.
    sql = """
        INSERT INTO prompts (project_id, prompt_id, name, is_other)
        SELECT (SELECT projects.id FROM projects WHERE projects.id = wanted.project_id), wanted.prompt_id,
               CASE WHEN other.is_it THEN %(other_name)s END, other.is_it
        FROM unnest(%(project_ids)s::integer[], %(prompt_ids)s::uuid[]) AS wanted (project_id, prompt_id)
        CROSS JOIN LATERAL (SELECT wanted.prompt_id = %(other)s AS is_it) AS other
        ORDER BY wanted.project_id, wanted.prompt_id
        ON CONFLICT DO NOTHING
    """
    columns = {
        "project_ids": [prompt.project_id for prompt in prompts],
        "prompt_ids": [prompt.prompt_id for prompt in prompts],
        "other": OTHER_PROMPT,
        "other_name": OTHER_VERSION,
    }
    connection.execute(sql, columns)


def insert_versions(connection: Connection, versions: Collection[Version]) -> None:
    """Make versions of known prompts known; those that are known already stay as they are."""
    sql = """
        INSERT INTO prompt_versions (prompt_key, version_hash, is_other)
        SELECT prompts.id, wanted.version_hash COLLATE "C", wanted.version_hash = %(other)s
        FROM unnest(%(project_ids)s::integer[], %(prompt_ids)s::uuid[], %(version_hashes)s::text[])
             AS wanted (project_id, prompt_id, version_hash)
        CROSS JOIN LATERAL (
            SELECT id
            FROM prompts
            WHERE prompts.project_id = wanted.project_id AND prompts.prompt_id = wanted.prompt_id
            LIMIT 1
        ) AS prompts
        ORDER BY prompts.id, wanted.version_hash COLLATE "C"
        ON CONFLICT DO NOTHING
    """
    connection.execute(sql, {**_columns(versions), "other": OTHER_VERSION})


def _columns(versions: Collection[Version]) -> dict[str, list[object]]:
    return {
        "project_ids": [version.project_id for version in versions],
        "prompt_ids": [version.prompt_id for version in versions],
        "version_hashes": [version.version_hash for version in versions],
    }

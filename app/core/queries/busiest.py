"""Which prompts of a project and which versions of a prompt have the most events, where there are too many to list."""

from collections.abc import Sequence
from typing import LiteralString

from app.core.database import Connection
from app.core.queries.rows import all_values
from app.core.queries.usage import ROLLUPS_OF_PROMPTS, ROLLUPS_OF_VERSIONS, part_columns
from app.core.rollups.time_range import Part


def select_busiest_prompts(
    connection: Connection, project_id: int, parts: Sequence[Part], limit: int, only: Sequence[int] | None
) -> list[int]:
    """Keys of the prompts with the most events (of all, or of `only` these).

    One more than `limit` where there are more. Where the project has no more than `limit` prompts nothing is read,
    and the list is empty.
    """
    sql = _busiest("prompt_key", ROLLUPS_OF_PROMPTS, "prompts WHERE project_id = %(project_id)s")
    parameters = {"project_id": project_id, "only": only, "limit": limit, **part_columns(parts)}
    return all_values(connection, sql, parameters)


def select_busiest_versions(
    connection: Connection,
    project_id: int,
    prompt_key: int,
    parts: Sequence[Part],
    *,
    limit: int,
    only: Sequence[int] | None,
) -> list[int]:
    """The same for the versions of a prompt."""
    sql = _busiest("version_key", ROLLUPS_OF_VERSIONS, "prompt_versions WHERE prompt_key = %(prompt_key)s")
    parameters = {"project_id": project_id, "prompt_key": prompt_key, "only": only, "limit": limit}
    return all_values(connection, sql, parameters | part_columns(parts))


def _busiest(key: LiteralString, rollups: LiteralString, all_of_them: LiteralString) -> LiteralString:
    # OFFSET in EXISTS: nothing is read unless there are more than `limit` of them.
    return f"""
        SELECT rollup.{key}
        FROM {rollups}
        WHERE EXISTS (SELECT FROM {all_of_them} OFFSET %(limit)s)
        GROUP BY rollup.{key}
        ORDER BY sum(rollup.events) DESC, rollup.{key}
        LIMIT %(limit)s + 1
    """

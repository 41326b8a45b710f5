"""Which prompts of a project and which versions of a prompt have the most events, where there are too many to list."""

from collections.abc import Sequence

from app.core.database import Connection
from app.core.queries.rows import all_values, one_value
from app.core.queries.sources import ROLLUPS_OF_ALL_VERSIONS, ROLLUPS_OF_PROMPTS, ROLLUPS_OF_VERSIONS
from app.core.queries.usage import part_columns
from app.core.rollups.time_range import Part


def select_busiest_prompts(
    connection: Connection, project_id: int, parts: Sequence[Part], limit: int, only: Sequence[int] | None
) -> list[int]:
    """Keys of the prompts with the most events (of all, or of `only` these).

    One more than `limit` where there are more. Where the project has no more than `limit` prompts nothing is read,
    and the list is empty.
    """
    # OFFSET in EXISTS: nothing is read unless there are more than `limit` of them.
    sql = f"""
        SELECT rollup.prompt_key
        FROM {ROLLUPS_OF_PROMPTS}
        WHERE EXISTS (SELECT 1 FROM prompts WHERE project_id = %(project_id)s OFFSET %(limit)s)
        GROUP BY rollup.prompt_key
        ORDER BY sum(rollup.events) DESC, rollup.prompt_key
        LIMIT %(limit)s + 1
    """
    parameters = {"project_id": project_id, "only": only, "limit": limit, **part_columns(parts)}
    return all_values(connection, sql, parameters)


def select_has_more_versions(connection: Connection, prompt_key: int, limit: int) -> bool:
    """Whether a prompt has more versions than this."""
    sql = "SELECT EXISTS (SELECT FROM prompt_versions WHERE prompt_key = %(prompt_key)s OFFSET %(limit)s)"
    return bool(one_value(connection, sql, {"prompt_key": prompt_key, "limit": limit}))


def select_busiest_versions(
    connection: Connection,
    project_id: int,
    prompt_key: int,
    parts: Sequence[Part],
    *,
    limit: int,
    only: Sequence[int] | None,
) -> list[int]:
    """Keys of the versions of a prompt with the most events (of all, or of `only` these): `limit` and one more."""
    sql = f"""
        SELECT rollup.version_key
        FROM {ROLLUPS_OF_ALL_VERSIONS if only is None else ROLLUPS_OF_VERSIONS}
        GROUP BY rollup.version_key
        ORDER BY sum(rollup.events) DESC, rollup.version_key
        LIMIT %(limit)s + 1
    """
    parameters = {"project_id": project_id, "prompt_key": prompt_key, "only": only, "limit": limit}
    return all_values(connection, sql, parameters | part_columns(parts))

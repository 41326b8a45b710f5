"""Readable names that people give to prompts and versions."""

from uuid import UUID

from app.core.database import Connection

UPDATE_PROMPT_NAME = """
UPDATE prompts SET name = %(name)s WHERE project_id = %(project_id)s AND prompt_id = %(prompt_id)s
"""

UPDATE_VERSION_NAME = """
UPDATE prompt_versions SET name = %(name)s
FROM prompts
WHERE prompts.id = prompt_versions.prompt_key
  AND prompts.project_id = %(project_id)s AND prompts.prompt_id = %(prompt_id)s
  AND prompt_versions.version_hash = %(version_hash)s COLLATE "C"
"""


def update_prompt_name(connection: Connection, project_id: int, prompt_id: UUID, name: str | None) -> bool:
    """Name a prompt, or take its name away; False where the project has no such prompt."""
    parameters = {"project_id": project_id, "prompt_id": prompt_id, "name": name}
    return connection.execute(UPDATE_PROMPT_NAME, parameters).rowcount == 1


def update_version_name(
    connection: Connection, project_id: int, prompt_id: UUID, version_hash: str, name: str | None
) -> bool:
    """Name a version, or take its name away; False where the project's prompt has no such version."""
    parameters = {"project_id": project_id, "prompt_id": prompt_id, "version_hash": version_hash, "name": name}
    return connection.execute(UPDATE_VERSION_NAME, parameters).rowcount == 1

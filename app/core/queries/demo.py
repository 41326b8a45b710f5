"""What the demo asks the database: when its story began, and readable names where nobody has given any."""

from datetime import datetime
from uuid import UUID

from app.core.database import Connection

SELECT_FIRST_KEY_AT = "SELECT min(created_at) FROM api_keys WHERE project_id = %(project_id)s AND name = %(name)s"

UPDATE_PROMPT_NAME = """
UPDATE prompts SET name = %(name)s
WHERE project_id = %(project_id)s AND prompt_id = %(prompt_id)s AND name IS NULL
"""

UPDATE_VERSION_NAME = """
UPDATE prompt_versions SET name = %(name)s
FROM prompts
WHERE prompts.id = prompt_versions.prompt_key
  AND prompts.project_id = %(project_id)s AND prompts.prompt_id = %(prompt_id)s
  AND prompt_versions.version_hash = %(version_hash)s AND prompt_versions.name IS NULL
"""


def select_first_key_at(connection: Connection, project_id: int, name: str) -> datetime:
    """When the first key with this name was made; there must be one."""
    row = connection.execute(SELECT_FIRST_KEY_AT, {"project_id": project_id, "name": name}).fetchone()
    assert row is not None
    first_at: datetime = row[0]
    return first_at


def update_unset_prompt_name(connection: Connection, project_id: int, prompt_id: UUID, name: str) -> None:
    """Name a prompt that has no name; nothing happens where there is no such prompt yet."""
    values = {"project_id": project_id, "prompt_id": prompt_id, "name": name}
    connection.execute(UPDATE_PROMPT_NAME, values)


def update_unset_version_name(
    connection: Connection, project_id: int, prompt_id: UUID, version_hash: str, name: str
) -> None:
    """Name a version that has no name; nothing happens where there is no such version yet."""
    values = {"project_id": project_id, "prompt_id": prompt_id, "version_hash": version_hash, "name": name}
    connection.execute(UPDATE_VERSION_NAME, values)

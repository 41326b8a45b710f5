"""Projects: whom events and API keys belong to."""

from app.core.database import Connection

INSERT_PROJECT = "INSERT INTO projects (name) VALUES (%(name)s) ON CONFLICT (name) DO NOTHING"
SELECT_PROJECT_ID = "SELECT id FROM projects WHERE name = %(name)s"
SELECT_PROJECT_IDS = "SELECT id FROM projects ORDER BY id"


def insert_project(connection: Connection, name: str) -> int:
    """The id of the project with this name, which is made where there is none."""
    connection.execute(INSERT_PROJECT, {"name": name})
    row = connection.execute(SELECT_PROJECT_ID, {"name": name}).fetchone()
    assert row is not None
    return int(row[0])


def select_project_ids(connection: Connection) -> list[int]:
    """The ids of all projects, oldest first."""
    return [int(row[0]) for row in connection.execute(SELECT_PROJECT_IDS)]

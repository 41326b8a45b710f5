"""Projects: whom events and API keys belong to."""

from app.core.database import Connection

INSERT_PROJECT = "INSERT INTO projects (name) VALUES (%(name)s) ON CONFLICT (name) DO NOTHING"
SELECT_PROJECT_ID = "SELECT id FROM projects WHERE name = %(name)s"
SELECT_PROJECT_NAMES = "SELECT name FROM projects ORDER BY id"
COUNT_MEMBERS = "SELECT count(*) FROM memberships WHERE project_id = %(project_id)s"
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


def select_project_id(connection: Connection, name: str) -> int | None:
    """The id of the project with this name."""
    row = connection.execute(SELECT_PROJECT_ID, {"name": name}).fetchone()
    return None if row is None else int(row[0])


def select_project_names(connection: Connection) -> list[str]:
    """The names of all projects, oldest first."""
    return [str(row[0]) for row in connection.execute(SELECT_PROJECT_NAMES)]


def count_members(connection: Connection, project_id: int) -> int:
    """How many users belong to a project."""
    row = connection.execute(COUNT_MEMBERS, {"project_id": project_id}).fetchone()
    return 0 if row is None else int(row[0])

"""Projects: whom events and API keys belong to."""

from app.core.database import Connection
from app.core.queries.rows import all_values, one_value


def insert_project(connection: Connection, name: str) -> int:
    """The id of the project with this name, which is made where there is none."""
    sql = "INSERT INTO projects (name) VALUES (%(name)s) ON CONFLICT (name) DO NOTHING"
    connection.execute(sql, {"name": name})
    found = select_project_id(connection, name)
    assert found is not None
    return found


def select_project_id(connection: Connection, name: str) -> int | None:
    """None where no project has this name."""
    found: int | None = one_value(connection, "SELECT id FROM projects WHERE name = %(name)s", {"name": name})
    return found


def select_project_ids(connection: Connection) -> list[int]:
    sql = "SELECT id FROM projects ORDER BY id"
    return all_values(connection, sql)


def select_project_names(connection: Connection) -> list[str]:
    sql = "SELECT name FROM projects ORDER BY id"
    return all_values(connection, sql)


def count_members(connection: Connection, project_id: int) -> int:
    sql = "SELECT count(*) FROM memberships WHERE project_id = %(project_id)s"
    return int(one_value(connection, sql, {"project_id": project_id}))

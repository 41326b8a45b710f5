"""Projects: whom events and API keys belong to."""

from app.core.database import Connection, database_errors
from app.core.queries.rows import all_values, one_value


def insert_project(connection: Connection, name: str) -> int:
    """The id of the project with this name, which is made where there is none."""
    sql = "INSERT INTO projects (name) VALUES (%(name)s) ON CONFLICT (name) DO NOTHING"
    connection.execute(sql, {"name": name})
    found = select_project_id(connection, name)
    assert found is not None
    return found


def insert_project_numbered(connection: Connection, name: str, number: int) -> int:
    """The id of a new project: this number, unless something here has it or had it. Raises AlreadyExists.

    Ids of events are made from the number of their project, so a project that moves keeps it where it can.
    """
    parameters = {"name": name, "number": number}
    with database_errors(), connection.transaction():
        # so that nobody takes the number from the sequence meanwhile
        connection.execute("LOCK TABLE projects IN SHARE ROW EXCLUSIVE MODE")
        if connection.execute(INSERT_NUMBERED, parameters).rowcount:
            connection.execute(GO_ON_BEHIND_NUMBER, parameters)
            return number
        connection.execute("INSERT INTO projects (name) VALUES (%(name)s)", parameters)
    found = select_project_id(connection, name)
    assert found is not None
    return found


INSERT_NUMBERED = """
INSERT INTO projects (id, name) OVERRIDING SYSTEM VALUE
SELECT %(number)s, %(name)s
WHERE NOT EXISTS (SELECT 1 FROM projects WHERE id = %(number)s)
  AND NOT EXISTS (SELECT 1 FROM events WHERE project_id = %(number)s)
  AND NOT EXISTS (SELECT 1 FROM rollups WHERE project_id = %(number)s)
  AND NOT EXISTS (SELECT 1 FROM rollup_additions WHERE project_id = %(number)s)
"""
GO_ON_BEHIND_NUMBER = """
SELECT setval('projects_id_seq', greatest(last_value, %(number)s)) FROM projects_id_seq
"""


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

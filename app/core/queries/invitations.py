"""Who was let into which project and has not joined it yet: an invitation opens nothing by itself."""

from app.core.database import Connection
from app.core.queries.memberships import Role
from app.core.queries.rows import all_values, one_value


def upsert_invitation(connection: Connection, project_id: int, user_id: int, role: Role) -> None:
    """Invite a user; who is invited already is it with this role from now on."""
    sql = """
        INSERT INTO invitations (project_id, user_id, role)
        VALUES (%(project_id)s, %(user_id)s, %(role)s)
        ON CONFLICT (project_id, user_id) DO UPDATE SET role = excluded.role
    """
    connection.execute(sql, {"project_id": project_id, "user_id": user_id, "role": role})


def update_invitation(connection: Connection, project_id: int, user_id: int, role: Role) -> bool:
    """False where the user is not invited."""
    sql = "UPDATE invitations SET role = %(role)s WHERE project_id = %(project_id)s AND user_id = %(user_id)s"
    parameters = {"project_id": project_id, "user_id": user_id, "role": role}
    return connection.execute(sql, parameters).rowcount == 1


def take_invitation(connection: Connection, project_id: int, user_id: int) -> Role | None:
    """Delete an invitation; its role, once, and None where there is none."""
    sql = """
        DELETE FROM invitations
        WHERE project_id = %(project_id)s AND user_id = %(user_id)s
        RETURNING role
    """
    role: Role | None = one_value(connection, sql, {"project_id": project_id, "user_id": user_id})
    return role


def select_inviting_projects(connection: Connection, user_id: int) -> list[int]:
    """The ids of the projects that wait for a user."""
    sql = "SELECT project_id FROM invitations WHERE user_id = %(user_id)s ORDER BY project_id"
    return all_values(connection, sql, {"user_id": user_id})

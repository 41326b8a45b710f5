"""Who belongs to which project, and as what."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from app.core.database import Connection

Role = Literal["admin", "member"]

INSERT_MEMBERSHIP = """
INSERT INTO memberships (project_id, user_id, role)
VALUES (%(project_id)s, %(user_id)s, %(role)s)
ON CONFLICT (project_id, user_id) DO NOTHING
RETURNING user_id
"""
UPDATE_ROLE = "UPDATE memberships SET role = %(role)s WHERE project_id = %(project_id)s AND user_id = %(user_id)s"
DELETE_MEMBERSHIP = "DELETE FROM memberships WHERE project_id = %(project_id)s AND user_id = %(user_id)s"
SELECT_MEMBERS = """
SELECT users.id, users.email, memberships.role, users.password_hash IS NOT NULL, memberships.created_at
  FROM memberships
  JOIN users ON users.id = memberships.user_id
 WHERE memberships.project_id = %(project_id)s
 ORDER BY lower(users.email)
"""
# In the same order for everybody, so that two who change the same project wait for each other and do not deadlock.
LOCK_ROLES = """
SELECT user_id, role
  FROM memberships
 WHERE project_id = %(project_id)s
 ORDER BY user_id
   FOR UPDATE
"""
SELECT_OTHER_PROJECTS = """
SELECT count(*) FROM memberships WHERE user_id = %(user_id)s AND project_id <> %(project_id)s
"""


@dataclass(frozen=True, slots=True)
class Member:
    """A member of a project. `has_password` is False for one who was invited and has not signed in yet."""

    user_id: int
    email: str
    role: Role
    has_password: bool
    since: datetime


def insert_membership(connection: Connection, project_id: int, user_id: int, role: Role) -> bool:
    """Let a user into a project; False, and no change, for one who is in already."""
    parameters = {"project_id": project_id, "user_id": user_id, "role": role}
    return connection.execute(INSERT_MEMBERSHIP, parameters).fetchone() is not None


def update_role(connection: Connection, project_id: int, user_id: int, role: Role) -> None:
    """Change what a member may do."""
    connection.execute(UPDATE_ROLE, {"project_id": project_id, "user_id": user_id, "role": role})


def delete_membership(connection: Connection, project_id: int, user_id: int) -> None:
    """Take a user out of a project."""
    connection.execute(DELETE_MEMBERSHIP, {"project_id": project_id, "user_id": user_id})


def select_members(connection: Connection, project_id: int) -> list[Member]:
    """The members of a project, by email."""
    return [Member(*row) for row in connection.execute(SELECT_MEMBERS, {"project_id": project_id})]


def lock_roles(connection: Connection, project_id: int) -> dict[int, Role]:
    """The role of each member by user id; nobody else can change them until the transaction ends."""
    return dict(connection.execute(LOCK_ROLES, {"project_id": project_id}).fetchall())


def select_other_projects(connection: Connection, user_id: int, project_id: int) -> int:
    """To how many other projects a user belongs."""
    row = connection.execute(SELECT_OTHER_PROJECTS, {"user_id": user_id, "project_id": project_id}).fetchone()
    return 0 if row is None else int(row[0])

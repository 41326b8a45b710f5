"""Who belongs to which project, and as what."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from app.core.database import Connection
from app.core.queries.rows import all_rows, one_value

Role = Literal["admin", "member"]


def insert_membership(connection: Connection, project_id: int, user_id: int, role: Role) -> bool:
    """Let a user into a project; False, and no change, for one who is in already."""
    sql = """
        INSERT INTO memberships (project_id, user_id, role)
        VALUES (%(project_id)s, %(user_id)s, %(role)s)
        ON CONFLICT (project_id, user_id) DO NOTHING
        RETURNING user_id
    """
    parameters = {"project_id": project_id, "user_id": user_id, "role": role}
    return one_value(connection, sql, parameters) is not None


def update_role(connection: Connection, project_id: int, user_id: int, role: Role) -> None:
    sql = "UPDATE memberships SET role = %(role)s WHERE project_id = %(project_id)s AND user_id = %(user_id)s"
    connection.execute(sql, {"project_id": project_id, "user_id": user_id, "role": role})


def delete_membership(connection: Connection, project_id: int, user_id: int) -> None:
    sql = "DELETE FROM memberships WHERE project_id = %(project_id)s AND user_id = %(user_id)s"
    connection.execute(sql, {"project_id": project_id, "user_id": user_id})


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """A member of a project, or with `has_joined` False somebody who is invited and sees nothing of it yet.

    `has_password`: somebody has chosen one for this sign-in already, by a link from wherever; when is
    `password_changed_at`.
    """

    user_id: int
    email: str
    role: Role
    has_joined: bool
    has_password: bool
    password_changed_at: datetime | None
    is_disabled: bool
    since: datetime


def select_members(connection: Connection, project_id: int) -> list[Member]:
    """Who belongs to a project and who is invited to it, by email."""
    sql = """
        SELECT users.id AS user_id, users.email, listed.role, listed.has_joined,
               users.password_hash IS NOT NULL AS has_password, users.password_changed_at,
               users.disabled_at IS NOT NULL AS is_disabled,
               listed.created_at AS since
        FROM (
            SELECT user_id, role, created_at, true AS has_joined
            FROM memberships
            WHERE project_id = %(project_id)s
            UNION ALL
            SELECT user_id, role, created_at, false AS has_joined
            FROM invitations
            WHERE project_id = %(project_id)s
        ) AS listed
        JOIN users ON users.id = listed.user_id
        ORDER BY lower(users.email)
    """
    return all_rows(connection, Member, sql, {"project_id": project_id})


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberRole:
    """What a user is in a project."""

    user_id: int
    role: Role


def lock_roles(connection: Connection, project_id: int) -> list[MemberRole]:
    """The roles of all members; nobody else can change them until the transaction ends."""
    # In the same order for everybody, so that two who change the same project wait for each other and do not deadlock.
    sql = """
        SELECT user_id, role
        FROM memberships
        WHERE project_id = %(project_id)s
        ORDER BY user_id
        FOR UPDATE
    """
    return all_rows(connection, MemberRole, sql, {"project_id": project_id})


def count_memberships(connection: Connection, user_id: int) -> int:
    """To how many projects a user belongs."""
    sql = "SELECT count(*) FROM memberships WHERE user_id = %(user_id)s"
    return int(one_value(connection, sql, {"user_id": user_id}))


def is_member(connection: Connection, project_id: int, user_id: int) -> bool:
    sql = """
        SELECT EXISTS (SELECT FROM memberships WHERE project_id = %(project_id)s AND user_id = %(user_id)s)
    """
    return bool(one_value(connection, sql, {"project_id": project_id, "user_id": user_id}))

"""One-time links: an operator's, with which a user chooses a password, and those of a project's invitation.

Nobody proves that an email is theirs. So a link of an invitation opens the project that invites and no other, and it
chooses a password only where the sign-in opens nothing else; else whoever uses it proves to hold the sign-in. Only an
operator vouches across projects, by a link or a confirmation.
"""

from dataclasses import dataclass

from app.core.accounts.sessions import DAY_SECONDS, end_all_sessions
from app.core.accounts.tokens import hash_token, new_token
from app.core.database import Connection
from app.core.errors import LinkNotValid, NotFound, ProofNeeded, UserDisabled
from app.core.queries.audit_log import Action, Actor, insert_audit_entry
from app.core.queries.invitations import select_inviting_projects, take_invitation
from app.core.queries.memberships import count_memberships, insert_membership
from app.core.queries.sign_in_links import (
    SignInLink,
    delete_all_sign_in_links,
    delete_sign_in_links,
    insert_sign_in_link,
    select_sign_in_link,
    use_sign_in_link,
)
from app.core.queries.users import (
    StoredUser,
    lock_user,
    select_user,
    update_confirmed_at,
    update_password_hash,
)

LINK_SECONDS = 7 * DAY_SECONDS


@dataclass(frozen=True, slots=True)
class OpenedLink:
    """A link that is valid; `project` is that of its invitation. With `needs_proof` it chooses no password."""

    email: str
    project: str | None
    needs_proof: bool


def make_link(connection: Connection, user_id: int, *, project_id: int | None) -> str:
    """The token of a new link, of a project's invitation or with None an operator's; the one before it ends."""
    token = new_token()
    delete_sign_in_links(connection, user_id, project_id=project_id)
    insert_sign_in_link(connection, hash_token(token), user_id, project_id, lifetime_seconds=LINK_SECONDS)
    return token


def make_link_for(connection: Connection, email: str, by: Actor) -> str:
    """The token of an operator's link, with which the user chooses a password. Raises NotFound and UserDisabled."""
    with connection.transaction():
        user = find_user(connection, email)
        if user.is_disabled:
            raise UserDisabled(f"{user.email} is disabled: enable it first")
        insert_audit_entry(connection, Action.LINK_MADE, by, subject=user.email, user_id=user.user_id)
        return make_link(connection, user.user_id, project_id=None)


def open_link(connection: Connection, token: str) -> OpenedLink:
    """What a link is for; it stays valid. Raises LinkNotValid."""
    with connection.transaction():
        link, user = _locked(connection, token)
        return OpenedLink(link.email, link.project, needs_proof=not _may_choose(connection, link, user))


def choose_password(connection: Connection, token: str, password_hash: str, address: str | None) -> int:
    """Use a link up: its user, whose id is returned, has this password now and is signed out everywhere.

    The user joins the project of the invitation; one with an operator's link is confirmed, and joins all that wait.
    Raises LinkNotValid, and ProofNeeded; of two calls with the same token one does.
    """
    with connection.transaction():
        link, user = _locked(connection, token)
        if not _may_choose(connection, link, user):
            raise ProofNeeded("password")
        by = Actor(user.email, user.user_id, address)
        _use(connection, token, link, by)
        update_password_hash(connection, user.user_id, password_hash)
        insert_audit_entry(connection, Action.PASSWORD_CHANGED, by, subject=user.email, user_id=user.user_id)
        end_all_sessions(connection, user.user_id)
        if link.project_id is None:
            update_confirmed_at(connection, user.user_id)
            join_all(connection, user.user_id, by)
        else:
            join(connection, link.project_id, user, by)
    return user.user_id


def accept_invitation(connection: Connection, token: str, user_id: int, address: str | None) -> int:
    """Use the link of an invitation up for a user who has proved to hold the sign-in; the id of the project.

    Raises LinkNotValid, also where the link is of somebody else.
    """
    with connection.transaction():
        link, user = _locked(connection, token)
        if user.user_id != user_id or link.project_id is None:
            raise LinkNotValid("link")
        by = Actor(user.email, user.user_id, address)
        _use(connection, token, link, by)
        join(connection, link.project_id, user, by)
    return link.project_id


def join(connection: Connection, project_id: int, user: StoredUser, by: Actor) -> None:
    """Make a member of somebody who was invited; nothing is changed where nobody invites (any more)."""
    role = take_invitation(connection, project_id, user.user_id)
    if role is not None and insert_membership(connection, project_id, user.user_id, role):
        insert_audit_entry(
            connection, Action.JOINED, by, subject=f"{user.email} ({role})", project_id=project_id, user_id=user.user_id
        )


def join_all(connection: Connection, user_id: int, by: Actor) -> None:
    """Let a user whom an operator has vouched for into all projects that wait; links of invitations end."""
    user = lock_user(connection, user_id)
    assert user is not None
    for project_id in select_inviting_projects(connection, user_id):
        join(connection, project_id, user, by)
    delete_all_sign_in_links(connection, user_id)


def find_user(connection: Connection, email: str) -> StoredUser:
    """Locked, until the end of the transaction. Raises NotFound."""
    found = select_user(connection, email)
    user = None if found is None else lock_user(connection, found.user_id)
    if user is None:
        raise NotFound(f"there is no user {email}")
    return user


def may_choose_by_invitation(connection: Connection, user: StoredUser) -> bool:
    """Whether the link of an invitation may choose the password: where nothing is lost to whoever holds the link."""
    return not user.is_confirmed and count_memberships(connection, user.user_id) == 0


def _may_choose(connection: Connection, link: SignInLink, user: StoredUser) -> bool:
    return link.project_id is None or may_choose_by_invitation(connection, user)


def _locked(connection: Connection, token: str) -> tuple[SignInLink, StoredUser]:
    link = select_sign_in_link(connection, hash_token(token))
    user = None if link is None else lock_user(connection, link.user_id)
    if link is None or user is None or user.is_disabled:
        raise LinkNotValid("link")
    return link, user


def _use(connection: Connection, token: str, link: SignInLink, by: Actor) -> None:
    if not use_sign_in_link(connection, hash_token(token)):
        raise LinkNotValid("link")
    insert_audit_entry(
        connection, Action.LINK_USED, by, subject=link.email, project_id=link.project_id, user_id=link.user_id
    )

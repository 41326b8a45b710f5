"""Users, their passwords and their sign-in links."""

from app.core.accounts.sessions import DAY_SECONDS, end_all_sessions
from app.core.accounts.tokens import hash_token, new_token
from app.core.database import Connection
from app.core.errors import LinkNotValid, NotFound, PasswordChanged
from app.core.queries.memberships import Role, insert_membership
from app.core.queries.projects import insert_project, select_project_names
from app.core.queries.sign_in_links import (
    delete_sign_in_links,
    insert_sign_in_link,
    select_sign_in_link,
    use_sign_in_link,
)
from app.core.queries.users import insert_user, lock_password_hash, select_user, update_password_hash

LINK_SECONDS = 7 * DAY_SECONDS
DEFAULT_PROJECT = "default"
MAX_EMAIL_LENGTH = 254


def is_email(text: str) -> bool:
    """Whether it looks like an email address; nobody writes to it, so no more is asked of it."""
    name, at, domain = text.rpartition("@")
    return bool(name and at and domain) and len(text) <= MAX_EMAIL_LENGTH and text.isprintable() and " " not in text


def create_operator(connection: Connection, email: str, password_hash: str, *, project: str | None, role: Role) -> None:
    """Make a user who is an operator and belongs to the project, which is made where there is none.

    Without a `project` it is the only one, or else the one with the name "default". Raises AlreadyExists for an
    email that is taken.
    """
    with connection.transaction():
        user_id = insert_user(connection, email, password_hash, is_operator=True)
        if project is None:
            names = select_project_names(connection)
            project = names[0] if len(names) == 1 else DEFAULT_PROJECT
        insert_membership(connection, insert_project(connection, project), user_id, role)


def make_sign_in_link(connection: Connection, user_id: int) -> str:
    """The token of a new link with which the user chooses a password; older links of the user end."""
    token = new_token()
    with connection.transaction():
        delete_sign_in_links(connection, user_id)
        insert_sign_in_link(connection, hash_token(token), user_id, lifetime_seconds=LINK_SECONDS)
    return token


def make_link_for(connection: Connection, email: str) -> str:
    """As `make_sign_in_link`, by email. Raises NotFound."""
    user = select_user(connection, email)
    if user is None:
        raise NotFound(f"there is no user {email}")
    return make_sign_in_link(connection, user.user_id)


def user_of_link(connection: Connection, token: str) -> str:
    """The email of the user whom a link is for; it stays valid. Raises LinkNotValid."""
    email = select_sign_in_link(connection, hash_token(token))
    if email is None:
        raise LinkNotValid("link")
    return email


def choose_password(connection: Connection, token: str, password_hash: str) -> int:
    """Use a link up: its user, whose id is returned, has this password now and is signed out everywhere.

    Raises LinkNotValid; of two calls with the same token one does.
    """
    with connection.transaction():
        user_id = use_sign_in_link(connection, hash_token(token))
        if user_id is None:
            raise LinkNotValid("link")
        update_password_hash(connection, user_id, password_hash)
        delete_sign_in_links(connection, user_id)
        end_all_sessions(connection, user_id)
    return user_id


def change_password(connection: Connection, user_id: int, before: str, password_hash: str) -> None:
    """Give a user another password; all sessions and all sign-in links end.

    Raises PasswordChanged where the hash `before`, of the password that was checked, is not the user's any more.
    """
    with connection.transaction():
        if lock_password_hash(connection, user_id) != before:
            raise PasswordChanged("password")
        update_password_hash(connection, user_id, password_hash)
        delete_sign_in_links(connection, user_id)
        end_all_sessions(connection, user_id)

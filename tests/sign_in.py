"""Users who are signed in, for tests: straight into PostgreSQL, without a password."""

import re
from collections.abc import Mapping

import httpx

from app.core.accounts.sessions import begin_session
from app.core.queries.users import select_password_hash
from app.web.pages.access.session_cookie import SESSION_ID, session_serializer
from tests.databases import kept_connection
from tests.processes import SECRET_KEY

INSERT_PROJECT = """
INSERT INTO projects (name) VALUES (%(name)s) ON CONFLICT (name) DO UPDATE SET name = excluded.name RETURNING id
"""
INSERT_USER = """
INSERT INTO users (email, password_hash, is_operator) VALUES (%(email)s, %(password_hash)s, %(is_operator)s)
ON CONFLICT (lower(email)) DO UPDATE SET is_operator = excluded.is_operator RETURNING id
"""
INSERT_MEMBERSHIP = """
INSERT INTO memberships (project_id, user_id, role) VALUES (%(project_id)s, %(user_id)s, %(role)s)
ON CONFLICT (project_id, user_id) DO UPDATE SET role = excluded.role
"""
CSRF_FIELD = re.compile(r'name="csrf_token" value="([^"]+)"')
NO_HASH = "the hash of no password"
A_PAGE_WITH_A_FORM = "/account"


def create_project(database_url: str, name: str) -> int:
    """The id of the project, which is made where there is none."""
    return _insert(database_url, INSERT_PROJECT, name=name)


def create_user(
    database_url: str, email: str, *, password_hash: str | None = NO_HASH, is_operator: bool = False
) -> int:
    """The id of the user, who is made where there is none."""
    return _insert(database_url, INSERT_USER, email=email, password_hash=password_hash, is_operator=is_operator)


def add_member(database_url: str, project_id: int, user_id: int, role: str) -> None:
    with kept_connection(database_url) as connection:
        connection.execute(INSERT_MEMBERSHIP, {"project_id": project_id, "user_id": user_id, "role": role})


def session_cookie(database_url: str, user_id: int) -> str:
    """The value of a cookie with a new session of the user."""
    with kept_connection(database_url) as connection:
        password_hash = select_password_hash(connection, user_id)
        assert password_hash is not None
        session_id = begin_session(connection, user_id, password_hash)
    return str(session_serializer(SECRET_KEY).dumps({SESSION_ID: session_id, "_permanent": True}))


def client_of(url: str, database_url: str, user_id: int) -> httpx.Client:
    """A client that is signed in as the user. It follows redirects; to see one, pass follow_redirects=False."""
    client = httpx.Client(base_url=url, follow_redirects=True, timeout=15)
    client.cookies.set("session", session_cookie(database_url, user_id), domain=client.base_url.host)
    return client


def signed_in_client(
    url: str,
    database_url: str,
    *,
    role: str = "admin",
    project: str = "p",
    email: str | None = None,
    is_operator: bool = False,
) -> httpx.Client:
    """A client that is signed in as a user with this role in the project; both are made where there are none.

    As `client_of`. Users have the email `<role>@<project>.example` unless another is given.
    """
    user_id = create_user(database_url, email or f"{role}@{project}.example", is_operator=is_operator)
    add_member(database_url, create_project(database_url, project), user_id, role)
    return client_of(url, database_url, user_id)


def csrf_token(client: httpx.Client, page: str = A_PAGE_WITH_A_FORM) -> str:
    """The token of the client's session, from a page with a form."""
    answer = client.get(page, follow_redirects=True)
    found = CSRF_FIELD.search(answer.text)
    assert found, f"no form on {answer.url} ({answer.status_code})"
    return found[1]


def submit(
    client: httpx.Client, path: str, data: Mapping[str, object] | None = None, **options: bool
) -> httpx.Response:
    """Send a form with the right token. Redirects are not followed unless asked for."""
    return client.post(
        path,
        data={"csrf_token": csrf_token(client), **(data or {})},
        follow_redirects=options.get("follow_redirects", False),
    )


def _insert(database_url: str, statement: str, **values: object) -> int:
    with kept_connection(database_url) as connection:
        row = connection.execute(statement.encode(), values).fetchone()
    assert row is not None
    return int(row[0])


def page_of(client: httpx.Client, path: str, **arguments: str) -> str:
    """A page about the first project."""
    answer = client.get(path, params={"project": "1", **arguments})
    assert answer.status_code == 200, answer.text
    return answer.text

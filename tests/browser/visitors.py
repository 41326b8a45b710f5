"""People who look at the pages."""

from dataclasses import dataclass
from functools import cache
from uuid import uuid4

from playwright.sync_api import Page

from app.core.accounts.passwords import hash_password
from tests.sign_in import add_member, create_project, create_user, session_cookie

PASSWORD = "correct horse battery"


@dataclass(frozen=True)
class Visitor:
    """A user, and the project that they belong to, which is theirs alone unless others are let in."""

    email: str
    user_id: int
    project: str
    project_id: int
    service: str
    database_url: str

    def sign_in(self, page: Page) -> None:
        """Through the form, as the first thing they do."""
        page.goto("/login")
        page.get_by_label("Email").fill(self.email)
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button", name="Sign in").click()
        page.wait_for_url("**/dashboard**")

    def enter(self, page: Page) -> None:
        """As somebody who signed in some time ago; the form lets in twenty in a minute from one address."""
        cookie = session_cookie(self.database_url, self.user_id)
        page.context.add_cookies([{"name": "session", "value": cookie, "url": self.service}])


def new_visitor(
    service: str, database_url: str, *, role: str = "admin", is_operator: bool = False, project: str | None = None
) -> Visitor:
    """A member of this project, or of a new one of their own, in which nothing has happened yet."""
    name = uuid4().hex[:8]
    email, project = f"visitor-{name}@example.com", project or f"project {name}"
    user_id = create_user(database_url, email, password_hash=_password_hash(), is_operator=is_operator)
    project_id = create_project(database_url, project)
    add_member(database_url, project_id, user_id, role)
    return Visitor(email, user_id, project, project_id, service, database_url)


@cache
def _password_hash() -> str:
    return hash_password(PASSWORD)

"""What becomes known of the request at hand: one typed value for each request, which Flask's `g` carries."""

import os
import re
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from flask import g, has_request_context, request

from app.core.accounts.sessions import ProjectRole, SessionUser
from app.core.keys.api_key import PREFIX as API_KEY_PREFIX
from app.core.operations.health import Health
from app.core.queries.api_keys import ApiKey, EndedKey
from app.core.queries.audit_log import Actor
from app.core.queries.memberships import Role
from app.web.handed_on import handed_on
from app.web.limits import Window

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

# An API key in the wrong header must not get into logs and answers.
_REQUEST_ID = re.compile(rf"(?!.*{API_KEY_PREFIX})[A-Za-z0-9._-]{{1,64}}", re.ASCII)

without_flask: ContextVar[str | None] = ContextVar("request id", default=None)
"""For logs: the id of a request that is answered without Flask."""


@dataclass(frozen=True, slots=True)
class Visitor:
    """Who is signed in, and the project that the page is about; None on pages that are about none."""

    user: SessionUser
    project: ProjectRole | None

    @property
    def user_id(self) -> int:
        return self.user.user_id

    @property
    def project_id(self) -> int:
        """For pages that are about a project."""
        assert self.project is not None
        return self.project.project_id

    @property
    def role(self) -> Role | None:
        return None if self.project is None else self.project.role


@dataclass(slots=True)
class RequestFacts:
    """Each part is None until it is known, or where the request has none.

    `api_key`: the valid key that came with it; `ended_key`: one that was valid, and is revoked or expired. `window`:
    how the valid key's rate limit stands. `visitor`: who looks at a page. `error_code`: that of an answer in the error
    envelope. `health`: how the service does, as the visitor sees it, from before the numbers of the page were read.
    `as_of`: all that was stored until then is in what was read; `from_standby`: what came later may not be.
    `has_written`: whoever asks has changed something a moment ago, and wants to see it.
    """

    request_id: str
    api_key: ApiKey | None = None
    ended_key: EndedKey | None = None
    window: Window | None = None
    visitor: Visitor | None = None
    error_code: str | None = None
    health: Health | None = None
    as_of: datetime | None = None
    from_standby: bool = False
    has_written: bool = False


def begin_request() -> None:
    known = handed_on(request.environ)
    g.context = RequestFacts(request_id_of(request.environ) if known is None else known.request_id)


def request_id_of(environ: "WSGIEnvironment") -> str:
    """The caller's, where it has the form of one; else a new one."""
    given: str = environ.get("HTTP_X_REQUEST_ID", "")
    return given if given and _REQUEST_ID.fullmatch(given) else os.urandom(16).hex()


def context() -> RequestFacts:
    """Raises AttributeError before `begin_request`, and RuntimeError outside of a request."""
    found: RequestFacts = g.context
    return found


def request_id() -> str | None:
    """For logs: None outside of a request, and before it has begun."""
    found: RequestFacts | None = g.get("context") if has_request_context() else None
    return without_flask.get() if found is None else found.request_id


def visitor() -> Visitor:
    """Who looks at the page; for views behind `signed_in`."""
    found = context().visitor
    assert found is not None
    return found


def actor_of(user_id: int, email: str) -> Actor:
    """A user, at the address of this request, for the audit log."""
    return Actor(email, user_id, request.remote_addr)


def actor() -> Actor:
    """Whoever looks at the page; for views behind `signed_in`."""
    return actor_of(visitor().user_id, visitor().user.email)

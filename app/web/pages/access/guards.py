"""Who may see a page: every view of the pages carries exactly one of these decorators, and a test looks for it."""

import functools
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, ParamSpec
from urllib.parse import quote, urlencode

from flask import Flask, redirect, request, session
from limits import RateLimitItemPerMinute
from werkzeug.wrappers import Response

from app.core.accounts.sessions import ProjectRole, SessionUser, find_session
from app.core.errors import DatabaseUnavailable, RedisFull, RedisUnavailable
from app.core.queries.memberships import Role
from app.web.auth import network_of
from app.web.current_health import (
    current_health,
    database_is_known_to_be_away,
    health_without_database,
    note_database_away,
)
from app.web.errors import ApiError
from app.web.pages.access.forgery import refuse_forgery
from app.web.pages.access.rate_limit import charge
from app.web.pages.access.session_cookie import SESSION_ID
from app.web.pages.layout.errors import PageError
from app.web.request_context import Visitor, context
from app.web.services import ask_database

REQUESTS_OF_A_USER = RateLimitItemPerMinute(600)
REQUESTS_OF_AN_ADDRESS = RateLimitItemPerMinute(120)
SAFE_METHODS = ("GET", "HEAD")
LAST_PROJECT = "project"

_P = ParamSpec("_P")
_View = Callable[_P, Response]


def signed_in(
    role: Role | None = "member", *, without_database: Callable[[], Response] | None = None
) -> Callable[[_View[_P]], _View[_P]]:
    """Let in users with this role in the project that the URL names; with None, every user, without a project.

    Views find the user and the project by `visitor()`; where `role` is None the project is the one last looked at, for
    the way back, and None for a user without any. Nobody signed in: sent to the sign-in page, or a 401 where
    something was to be changed. No member: 404, as if there were no such project. A member where an admin is needed:
    403. Unsafe methods need the token of their session.

    `without_database` answers in place of the view where PostgreSQL, which alone knows sessions and roles, is away: to
    whoever has a cookie with our signature, so with nothing that is for some of them only.
    """

    def decorate(view: _View[_P]) -> _View[_P]:
        @functools.wraps(view)
        def guarded(*args: _P.args, **kwargs: _P.kwargs) -> Response:
            try:
                found = _known_user(may_do_without=without_database is not None)
            except DatabaseUnavailable:
                context().health = health_without_database()
                if without_database is None or request.method not in SAFE_METHODS:
                    raise
                _charge_address()
                return without_database()
            if found is None:
                return _ask_to_sign_in()
            context().visitor = Visitor(found, None)
            project = None
            try:
                # Whom PostgreSQL knows may look while Redis is full or gone: that is when the system page is needed.
                with suppress(RedisFull, RedisUnavailable):
                    charge(REQUESTS_OF_A_USER, "user", str(found.user_id))
                project = _usual_project(found.projects) if role is None else _named_project(found.projects)
                context().visitor = Visitor(found, project)
            finally:
                # also for pages that refuse: without a light they look as if nobody had answered
                context().health = current_health(
                    project_id=project.project_id if project else None, sees_all=found.is_operator
                )
            if role is not None:
                if project is None:
                    return _name_project(found.projects)
                _remember(project)
                if role == "admin" and project.role != "admin":
                    raise ApiError(403, "FORBIDDEN", "Only admins of the project may do this.")
            refuse_forgery()
            return view(*args, **kwargs)

        guarded.__dict__["access"] = role or "user"
        return guarded

    return decorate


def open_page(reason: str) -> Callable[[_View[_P]], _View[_P]]:
    """Let everybody in, within a limit by address; `reason` says why that is right.

    The limit does not hold while Redis is full or gone: who wants to sign out then must be able to. Attempts to sign
    in have counts of their own, which do.
    """

    def decorate(view: _View[_P]) -> _View[_P]:
        @functools.wraps(view)
        def guarded(*args: _P.args, **kwargs: _P.kwargs) -> Response:
            _charge_address()
            refuse_forgery()
            return view(*args, **kwargs)

        guarded.__dict__["access"] = None
        guarded.__dict__["public_because"] = reason
        return guarded

    return decorate


def session_user() -> SessionUser | None:
    """The user of this request's session, as PostgreSQL knows it now. Raises DatabaseUnavailable."""
    session_id = session.get(SESSION_ID)
    if not isinstance(session_id, str):
        return None
    return ask_database(find_session, session_id)


def _known_user(*, may_do_without: bool) -> SessionUser | None:
    """As `session_user`, without waiting for a PostgreSQL that is known to be away where the page can do without."""
    if may_do_without and SESSION_ID in session and database_is_known_to_be_away():
        raise DatabaseUnavailable("it was found away a moment ago")
    try:
        return session_user()
    except DatabaseUnavailable:
        note_database_away()
        raise


def _charge_address() -> None:
    with suppress(RedisFull, RedisUnavailable):
        charge(REQUESTS_OF_AN_ADDRESS, "page-address", network_of(request.remote_addr))


def add_project_to_urls(app: Flask) -> None:
    """Have `url_for` add `?project=` to URLs below /dashboard, so that whoever gets the URL sees the same project."""
    endpoints = {rule.endpoint for rule in app.url_map.iter_rules() if rule.rule.startswith("/dashboard")}

    def add_project(endpoint: str, values: dict[str, Any]) -> None:
        seen_by = context().visitor
        if endpoint in endpoints and "project" not in values and seen_by is not None and seen_by.project is not None:
            values["project"] = seen_by.project.project_id

    app.url_defaults(add_project)


def _ask_to_sign_in() -> Response:
    if request.method not in SAFE_METHODS:
        raise ApiError(401, "UNAUTHORIZED", "Sign in first.")
    wanted = request.full_path.rstrip("?")
    return redirect(f"/login?next={quote(wanted, safe='/')}", code=303)


def _named_project(projects: Sequence[ProjectRole]) -> ProjectRole | None:
    """The project that the URL names; None where it is to name one first.

    A form whose URL names none is about the usual one. Raises a 404 for a project that the user is not in, and for a
    user who is in none.
    """
    named = request.args.get("project")
    if named is not None:
        return _find_project(projects, named)
    if not projects:
        raise PageError(404, "NOT_FOUND", "You are in no project", "Ask an admin of a project to invite you.")
    return None if request.method in SAFE_METHODS else _usual_project(projects)


def _name_project(projects: Sequence[ProjectRole]) -> Response:
    """To the same page, with a URL that names the usual project."""
    project = _usual_project(projects)
    assert project is not None
    query = urlencode([*request.args.items(multi=True), ("project", project.project_id)])
    return redirect(f"{quote(request.path)}?{query}", code=303)


def _remember(project: ProjectRole) -> None:
    if session.get(LAST_PROJECT) != project.project_id:
        session[LAST_PROJECT] = project.project_id


def _find_project(projects: Sequence[ProjectRole], named: str) -> ProjectRole:
    for project in projects:
        if str(project.project_id) == named:
            return project
    raise ApiError(404, "NOT_FOUND", "There is no such project.")


def _usual_project(projects: Sequence[ProjectRole]) -> ProjectRole | None:
    """The one last looked at, else the first; None where there is none."""
    last = session.get(LAST_PROJECT)
    return next((project for project in projects if project.project_id == last), projects[0] if projects else None)

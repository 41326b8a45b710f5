"""How pages are rendered: the layout, what every template knows, and the headers of HTML."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

import jinja2
from flask import Flask, Response, g, render_template, request

from app.web.assets import asset_url
from app.web.pages.layout.columns import register_column_filters
from app.web.pages.layout.exact import register_exact_filters
from app.web.pages.layout.formatting import register_filters
from app.web.pages.layout.health_words import MEANING_PATH, health_words
from app.web.pages.layout.overflow_words import is_other
from app.web.request_context import context as request_context

CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "font-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
SECURITY_HEADERS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
"""By which a browser lets nobody else near a page."""

_SAFE_METHODS = ("GET", "HEAD")
_TAG_LENGTH = 32


@dataclass(frozen=True, slots=True)
class NavigationItem:
    """One entry of the header. `for_admins`: members do not see it. `shortcut`: the key that leads there after "g"."""

    key: str
    label: str
    path: str
    for_admins: bool = False
    shortcut: str | None = None


NAVIGATION = (
    NavigationItem("dashboard", "Dashboard", "/dashboard", shortcut="d"),
    NavigationItem("news", "News", "/dashboard/news", shortcut="n"),
    NavigationItem("api-keys", "API keys", "/dashboard/api-keys", shortcut="k"),
    NavigationItem("webhooks", "Webhooks", "/dashboard/webhooks", for_admins=True),
    NavigationItem("system", "System", "/dashboard/system", for_admins=True, shortcut="s"),
    NavigationItem("members", "Members", "/dashboard/members", for_admins=True),
    NavigationItem("audit-log", "Audit log", "/dashboard/audit-log", for_admins=True),
)


def register_templates(app: Flask) -> None:
    """Set Jinja up: a name that a template misspells is an error, and blocks leave no blank lines."""
    app.jinja_env.undefined = jinja2.StrictUndefined
    app.jinja_env.trim_blocks = True
    app.jinja_env.lstrip_blocks = True
    app.jinja_env.globals["asset_url"] = asset_url
    app.jinja_env.tests["other"] = is_other
    register_filters(app)
    register_exact_filters(app)
    register_column_filters(app)


def page(
    template: str,
    *,
    active: str = "",
    status: int = 200,
    navigation: Sequence[NavigationItem] | None = None,
    volatile: Sequence[str] = (),
    **context: Any,
) -> Response:
    """An HTML page in the layout, never stored by any cache; a 304 to a refresh that has the same one.

    `active` is the key of the navigation item to mark; without `navigation` the header has that of the project. A page
    with nothing new in it but these `volatile` texts is the same one.
    Besides the context a template knows `user`, `project`, `projects` (those the user may switch to) and `role`, each
    None or empty where nobody is signed in, and `health`, None where nobody asked for it.
    """
    known = request_context()
    seen_by, health = known.visitor, known.health
    user, project, role = (None, None, None) if seen_by is None else (seen_by.user, seen_by.project, seen_by.role)
    html = render_template(
        template,
        active=active,
        user=user,
        project=project,
        projects=() if user is None else user.projects,
        role=role,
        navigation=navigation or [each for each in NAVIGATION if project and (role == "admin" or not each.for_admins)],
        health=health and health_words(health, datetime.now(UTC), known.as_of if known.from_standby else None),
        health_meaning=MEANING_PATH,
        sign_in_url=f"/login?next={quote(request.full_path.rstrip('?'), safe='/')}",
        **context,
    )
    answer = _tagged(html, volatile) if seen_by and status == HTTPStatus.OK else Response(html, status=status)
    answer.headers["Cache-Control"] = "no-store"
    return answer


def _tagged(html: str, volatile: Sequence[str]) -> Response:
    """The page with an ETag, which stands in it too, for refresh.js; or a 304 to who has the same page already.

    It is made of the rendered page, so nothing that shows can be forgotten; a token against forgery, which is another
    one each second, is not part of it.
    """
    shown = html
    for each in (*volatile, g.get("csrf_token", "")):
        shown = shown.replace(each, "") if each else shown
    tag = hashlib.sha256(shown.encode()).hexdigest()[:_TAG_LENGTH]
    if request.method in _SAFE_METHODS and request.if_none_match.contains_weak(tag):
        answer = Response(status=HTTPStatus.NOT_MODIFIED, mimetype="text/html")
    else:
        answer = Response(html.replace("<body>", f'<body data-tag="{tag}">', 1), mimetype="text/html")
    answer.set_etag(tag, weak=True)
    return answer


def with_security_headers(response: Response) -> Response:
    """The same answer, which now has them."""
    for name, value in SECURITY_HEADERS.items():
        response.headers[name] = value
    return response

"""What all blueprints of pages have in common."""

from http import HTTPStatus

from flask import Blueprint

from app.web.compression import compressed
from app.web.pages.access.own_writes import note_own_writes, remember_own_writes
from app.web.pages.access.session_cookie import open_session, save_session
from app.web.pages.layout.errors import PageError
from app.web.pages.layout.rendering import with_security_headers
from app.web.proxies import has_public_host
from app.web.services import services


def page_blueprint(name: str) -> Blueprint:
    """A blueprint `pages_<name>` whose requests have a session, and whose answers carry the security headers.

    They are compressed, too. Where PUBLIC_URL is set, its requests came to that host, or are a 421.
    """
    blueprint = Blueprint(f"pages_{name}", __name__)
    blueprint.before_request(open_session)
    blueprint.before_request(note_own_writes)
    blueprint.before_request(_refuse_strange_host)
    blueprint.after_request(compressed)
    blueprint.after_request(save_session)
    blueprint.after_request(remember_own_writes)
    blueprint.after_request(with_security_headers)
    return blueprint


def _refuse_strange_host() -> None:
    if not has_public_host():
        raise PageError(
            HTTPStatus.MISDIRECTED_REQUEST,
            "MISDIRECTED_REQUEST",
            "This is another address",
            f"These pages are at {services().settings.public_url} only.",
        )

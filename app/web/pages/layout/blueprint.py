"""What all blueprints of pages have in common."""

from flask import Blueprint, Response

from app.web.pages.access.session_cookie import open_session, save_session

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


def page_blueprint(name: str) -> Blueprint:
    """A blueprint `pages_<name>` whose requests have a session, and whose answers carry the security headers."""
    blueprint = Blueprint(f"pages_{name}", __name__)
    blueprint.before_request(open_session)
    blueprint.after_request(save_session)
    blueprint.after_request(with_security_headers)
    return blueprint


def with_security_headers(response: Response) -> Response:
    """The same answer, for browsers that must not let anybody else near it."""
    for name, value in SECURITY_HEADERS.items():
        response.headers[name] = value
    return response

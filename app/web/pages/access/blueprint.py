"""What all blueprints of pages have in common."""

from flask import Blueprint

from app.web.pages.access.session_cookie import open_session, save_session
from app.web.pages.layout.rendering import with_security_headers


def page_blueprint(name: str) -> Blueprint:
    """A blueprint `pages_<name>` whose requests have a session, and whose answers carry the security headers."""
    blueprint = Blueprint(f"pages_{name}", __name__)
    blueprint.before_request(open_session)
    blueprint.after_request(save_session)
    blueprint.after_request(with_security_headers)
    return blueprint

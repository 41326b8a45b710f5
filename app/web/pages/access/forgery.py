"""Protection against forged forms: Flask-WTF's tokens, checked by the guards of the pages and by nobody else."""

from flask import Flask, request
from flask_wtf.csrf import CSRFError, CSRFProtect, generate_csrf

from app.web.body import read_form_body
from app.web.errors import ApiError
from app.web.pages.layout.errors import PageError
from app.web.services import derive_secret

LARGEST_FORM_BYTES = 65_536
BODY_SECONDS = 5.0

_UNSAFE = {"POST", "PUT", "PATCH", "DELETE"}

_protection = CSRFProtect()


def register_forgery_protection(app: Flask, secret_key: str) -> None:
    """What `CSRFProtect.init_app` does, without its hook, which every request of the API would pay for."""
    app.config |= {
        "WTF_CSRF_SECRET_KEY": derive_secret(secret_key, b"csrf"),
        "WTF_CSRF_ENABLED": True,
        "WTF_CSRF_CHECK_DEFAULT": False,
        "WTF_CSRF_METHODS": _UNSAFE,
        "WTF_CSRF_FIELD_NAME": "csrf_token",
        "WTF_CSRF_HEADERS": ["X-CSRFToken"],
        # A token is worth as much as the session that it belongs to: a page left open over night still works.
        "WTF_CSRF_TIME_LIMIT": None,
        "WTF_CSRF_SSL_STRICT": True,
    }
    app.extensions["csrf"] = _protection
    app.jinja_env.globals["csrf_token"] = generate_csrf


def refuse_forgery() -> None:
    """Raise a 400 for an unsafe request that does not carry its session's token. Reads its body: 413 and 408."""
    if request.method not in _UNSAFE:
        return
    read_form_body(limit_bytes=LARGEST_FORM_BYTES, deadline_seconds=BODY_SECONDS)
    if request.files:
        raise ApiError(400, "VALIDATION_ERROR", "No form here takes files.")
    try:
        _protection.protect()
    except CSRFError as error:
        raise PageError(
            400,
            "CSRF",
            "This form is too old",
            "Nothing was changed. You have signed in or out since the form was opened, or your browser kept no cookie. "
            "Go back, reload the page and try again.",
        ) from error

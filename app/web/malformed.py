"""Requests that gunicorn refused, and which the application never saw, are counted like all others."""

from http import HTTPStatus

from flask import Flask

from app.web.envelope import code_of
from app.web.metrics import record_answer
from app.web.services import services


def count_malformed(app: Flask, status: HTTPStatus) -> None:
    """Count one answer without an endpoint, and one refusal that belongs to no project."""
    code = code_of(status)
    record_answer(None, status.value, code)
    with app.app_context():
        services().refusals.note(None, code)

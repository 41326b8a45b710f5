"""The envelope of errors. Loaded before gevent has patched the standard library, so it imports nothing of Flask."""

from collections.abc import Sequence
from http import HTTPStatus
from typing import TypedDict

import orjson

# Python 3.13 has another name for the 414.
_CODES = {HTTPStatus.INTERNAL_SERVER_ERROR: "INTERNAL_ERROR", HTTPStatus.REQUEST_URI_TOO_LONG: "REQUEST_URI_TOO_LONG"}


class Detail(TypedDict):
    """One thing that is wrong. `field` is a name of the body or a header, or "body" for the body as a whole.

    Of the query string it may also be a name of the client's own.
    """

    field: str
    message: str


def error_envelope(code: str, message: str, request_id: str, details: Sequence[Detail] = ()) -> bytes:
    """`{"success": false, "error": …}`. Nothing in it may repeat what the client sent."""
    error = {"code": code, "message": message, "requestId": request_id, "details": list(details)}
    return orjson.dumps({"success": False, "error": error})


def code_of(status: HTTPStatus) -> str:
    """The code of an error that says no more than its status."""
    return _CODES.get(status, status.name)

"""gunicorn's gevent worker, except that what gunicorn itself refuses leaves in the API's envelope too.

Must import neither the application nor psycopg: gunicorn loads it before gevent has patched the standard library.
"""

import contextlib
import socket
import uuid
from http import HTTPStatus
from typing import Any

from gunicorn import util
from gunicorn.http import errors
from gunicorn.workers.ggevent import GeventWorker

from app.web.envelope import code_of, error_envelope

_STATUSES = {
    errors.LimitRequestLine: HTTPStatus.REQUEST_URI_TOO_LONG,
    errors.LimitRequestHeaders: HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
    errors.ExpectationFailed: HTTPStatus.EXPECTATION_FAILED,
    errors.UnsupportedTransferCoding: HTTPStatus.NOT_IMPLEMENTED,
}


class EnvelopeWorker(GeventWorker):  # type: ignore[misc]  # gunicorn has no types
    """Answers a malformed request line, bad headers and the like; the connection is closed after that."""

    def handle_error(self, _request: Any, client: socket.socket, address: Any, error: BaseException) -> None:
        """Neither log nor answer repeats what was sent: a broken header may hold a key."""
        if isinstance(error, errors.ParseException):
            status = _STATUSES.get(type(error), HTTPStatus.BAD_REQUEST)
            self.log.warning("refused a malformed request from %s: %s", address and address[0], type(error).__name__)
        else:
            status = HTTPStatus.INTERNAL_SERVER_ERROR
            self.log.error("error handling a request", exc_info=error)
        with contextlib.suppress(Exception):  # the client has gone; there is nobody to tell
            util.write_nonblock(client, _answer(status))


def _answer(status: HTTPStatus) -> bytes:
    request_id = uuid.uuid4().hex
    body = error_envelope(code_of(status), f"{status.phrase}.", request_id)
    head = (
        f"HTTP/1.1 {status.value} {status.phrase}\r\nConnection: close\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\nX-Request-Id: {request_id}\r\n\r\n"
    )
    return head.encode() + body

"""gunicorn's gevent worker, except that what gunicorn itself refuses leaves in the API's envelope too.

And that an answer before the end of its request reaches a client that is still sending.

Must import neither the application nor psycopg: gunicorn loads it before gevent has patched the standard library.
"""

import contextlib
import socket
import uuid
from http import HTTPStatus
from typing import Any

from gevent import Timeout
from gunicorn import util
from gunicorn.http import errors
from gunicorn.http.parser import RequestParser
from gunicorn.workers.ggevent import GeventWorker

from app.web.envelope import code_of, error_envelope
from app.web.gunicorn_request import EnvelopeRequest

LINGER_SECONDS = 5.0
LINGER_BYTES = 64 * 1024 * 1024
_PIECE_BYTES = 65_536

MALFORMED_STATUSES = {
    errors.LimitRequestLine: HTTPStatus.REQUEST_URI_TOO_LONG,
    errors.LimitRequestHeaders: HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
    errors.ExpectationFailed: HTTPStatus.EXPECTATION_FAILED,
    errors.UnsupportedTransferCoding: HTTPStatus.NOT_IMPLEMENTED,
}


class EnvelopeWorker(GeventWorker):  # type: ignore[misc]  # gunicorn has no types
    """Answers a malformed request line, bad headers and the like; the connection is closed after that."""

    def init_process(self) -> None:
        RequestParser.mesg_class = EnvelopeRequest
        super().init_process()

    def handle_request(self, listener_name: Any, request: Any, client: socket.socket, address: Any) -> None:
        """Raises StopIteration, as gunicorn's does, where this was the connection's last request."""
        try:
            super().handle_request(listener_name, request, client, address)
        except StopIteration:
            if request.body.failed:
                _linger(client)
            raise

    def handle_error(self, _request: Any, client: socket.socket, address: Any, error: BaseException) -> None:
        """Neither log nor answer repeats what was sent: a broken header may hold a key."""
        is_malformed = isinstance(error, errors.ParseException)
        if is_malformed:
            status = MALFORMED_STATUSES.get(type(error), HTTPStatus.BAD_REQUEST)
            self.log.warning("refused a malformed request from %s: %s", address and address[0], type(error).__name__)
        else:
            status = HTTPStatus.INTERNAL_SERVER_ERROR
            self.log.error("error handling a request", exc_info=error)
        with contextlib.suppress(Exception):  # the client has gone; there is nobody to tell
            util.write_nonblock(client, _answer(status))
        self._count(status)
        if is_malformed:
            _linger(client)

    def _count(self, status: HTTPStatus) -> None:
        # gevent has patched by now, and the application is loaded
        from app.web.malformed import count_malformed  # noqa: PLC0415 - brings Flask and psycopg in

        count_malformed(self.wsgi, status)


def _linger(client: socket.socket) -> None:
    """Take and drop what the client is still sending, so that no reset of the connection loses our answer.

    nginx calls it a lingering close. It ends when the client closes, and is bounded in bytes and time.
    """
    taken = 0
    with contextlib.suppress(OSError), Timeout(LINGER_SECONDS, exception=False):
        client.shutdown(socket.SHUT_WR)
        while taken < LINGER_BYTES and (piece := client.recv(_PIECE_BYTES)):
            taken += len(piece)


def _answer(status: HTTPStatus) -> bytes:
    request_id = uuid.uuid4().hex
    body = error_envelope(code_of(status), f"{status.phrase}.", request_id)
    head = (
        f"HTTP/1.1 {status.value} {status.phrase}\r\nConnection: close\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\nX-Request-Id: {request_id}\r\n\r\n"
    )
    return head.encode() + body

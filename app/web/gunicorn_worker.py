"""gunicorn's gevent worker, except that what gunicorn itself refuses leaves in the API's envelope too.

Must import neither the application nor psycopg: gunicorn loads it before gevent has patched the standard library.
"""

import contextlib
import functools
import json
import socket
import time
import uuid
from email.utils import formatdate
from http import HTTPStatus
from typing import Any

from gunicorn import util
from gunicorn.http import errors, message, wsgi
from gunicorn.workers.ggevent import GeventWorker

_STATUSES = {
    errors.LimitRequestLine: HTTPStatus.REQUEST_URI_TOO_LONG,
    errors.LimitRequestHeaders: HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
    errors.ExpectationFailed: HTTPStatus.EXPECTATION_FAILED,
    errors.UnsupportedTransferCoding: HTTPStatus.NOT_IMPLEMENTED,
}


class EnvelopeWorker(GeventWorker):  # type: ignore[misc]  # gunicorn has no types
    """Answers a malformed request line, bad headers and the like; the connection is closed after that."""

    def init_process(self) -> None:
        """Look settings up once: gunicorn does it some forty times a request, each time through `__getattr__`."""
        self.cfg.__dict__.update({name: setting.get() for name, setting in self.cfg.settings.items()})
        _do_once(self.cfg)
        super().init_process()

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


def _do_once(cfg: Any) -> None:
    """Take what never changes out of gunicorn's way of a request, where it takes some 20 µs."""
    errors_stream = wsgi.WSGIErrorsWrapper(cfg)
    wsgi.WSGIErrorsWrapper = lambda _cfg: errors_stream
    wsgi.util.http_date = lambda: _http_date(int(time.time()))
    # `forwarded_allow_ips` trusts nobody, so nobody's address need be parsed.
    message.HeaderPolicy._peer_is_trusted_proxy = lambda _request: False  # noqa: SLF001 - there is no public way


@functools.lru_cache(maxsize=1)
def _http_date(seconds: int) -> str:
    return formatdate(seconds, usegmt=True)


def _answer(status: HTTPStatus) -> bytes:
    code = "INTERNAL_ERROR" if status == HTTPStatus.INTERNAL_SERVER_ERROR else status.name
    request_id = uuid.uuid4().hex
    error = {"code": code, "message": f"{status.phrase}.", "requestId": request_id, "details": []}
    body = json.dumps({"success": False, "error": error}).encode()
    head = (
        f"HTTP/1.1 {status.value} {status.phrase}\r\nConnection: close\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\nX-Request-Id: {request_id}\r\n\r\n"
    )
    return head.encode() + body

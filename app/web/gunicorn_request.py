"""gunicorn's request, except that it asks for a body only where somebody reads it, and knows when it must be the last.

Must import neither the application nor psycopg: gunicorn loads it before gevent has patched the standard library.
"""

import socket
from typing import Any

from gunicorn import util
from gunicorn.http.body import Body
from gunicorn.http.errors import InvalidHeader
from gunicorn.http.message import Request

_HTTP_1_1 = (1, 1)
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


class EnvelopeRequest(Request):  # type: ignore[misc]  # gunicorn has no types
    """What `RequestParser.mesg_class` makes of each head."""

    body: Any
    _expected_100_continue: bool

    def set_body_reader(self) -> None:
        """Raises InvalidHeader where HTTP/1.1 has no Host (RFC 9112, 3.2), besides what gunicorn's own raises."""
        super().set_body_reader()
        if self.version >= _HTTP_1_1 and not any(name == "HOST" for name, _ in self.headers):
            raise InvalidHeader("HOST", req=self)
        if self._expected_100_continue:
            # gunicorn would send it before the application has looked at anything
            self._expected_100_continue = False
            self.body = AwaitedBody(self.body.reader, self.unreader.sock)

    def should_close(self) -> bool:
        """Also behind a body that was not read to its end: gunicorn closes then, but would say `keep-alive`."""
        return bool(self.body.failed or super().should_close())


class AwaitedBody(Body):  # type: ignore[misc]  # the same
    """A body that the client sends when it is told to go on: at the first read.

    Until then it counts as failed: whether it will come is unknown, so nothing behind it can be taken for a request.
    """

    def __init__(self, reader: Any, client: socket.socket) -> None:
        super().__init__(reader)
        self.failed = True
        self._client: socket.socket | None = client

    def _read_reader(self, size: int) -> Any:
        if self._client is not None:
            client, self._client = self._client, None
            util.write(client, _CONTINUE)
            self.failed = False
        return super()._read_reader(size)

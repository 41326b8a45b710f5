"""HTTP by hand, for requests that no client library would send."""

import json
import socket
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def code(self) -> str:
        return str(self.json["error"]["code"])

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class RawConnection:
    """One TCP connection. Everything that waits gives up after `timeout_seconds`, with TimeoutError."""

    def __init__(self, base_url: str, *, timeout_seconds: float = 15.0) -> None:
        url = urlsplit(base_url)
        assert url.hostname is not None
        self._socket = socket.create_connection((url.hostname, url.port or 80), timeout=timeout_seconds)
        self._reader = self._socket.makefile("rb")

    def send(self, data: bytes) -> None:
        self._socket.sendall(data)

    def end_sending(self) -> None:
        """Half-close: the server reads the end, and can still answer."""
        self._socket.shutdown(socket.SHUT_WR)

    def receive(self) -> Answer:
        """The next answer, a 100 Continue included. Raises ConnectionError where the server has closed."""
        status_line = self._reader.readline()
        if not status_line:
            raise ConnectionError("the server closed the connection")
        headers: dict[str, str] = {}
        while line := self._reader.readline().strip():
            name, _, value = line.decode("latin-1").partition(":")
            headers[name.strip().lower()] = value.strip()
        body = self._reader.read(int(headers.get("content-length", "0")))
        return Answer(int(status_line.split()[1]), headers, body)

    def is_closed_by_server(self) -> bool:
        """Waits until the server closes or sends something more."""
        try:
            return self._reader.read(1) == b""
        except ConnectionResetError:
            return True

    def close(self) -> None:
        self._reader.close()
        self._socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def ingest_head(
    key: str, *lines: str, content_type: str = "application/json", path: str = "/api/v1/prompts/analytics"
) -> bytes:
    """The head of an ingest request, up to and with the empty line; `lines` are further header lines."""
    head = [
        f"POST {path} HTTP/1.1",
        "Host: 127.0.0.1",
        f"Authorization: Bearer {key}",
        f"Content-Type: {content_type}",
        *lines,
    ]
    return ("\r\n".join(head) + "\r\n\r\n").encode("latin-1")


def ingest_request(key: str, body: bytes, *lines: str) -> bytes:
    """A whole ingest request with a Content-Length."""
    return ingest_head(key, f"Content-Length: {len(body)}", *lines) + body


def chunked(*pieces: bytes) -> bytes:
    """A body in chunked transfer coding."""
    return b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"

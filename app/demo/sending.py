"""The way of the demo's events to the service: its batch endpoint, as any client would use it."""

import http.client
import json
import threading
import time
from collections.abc import Callable, Iterator
from http import HTTPStatus
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

from app.core.contract import BATCH_PATH
from app.core.errors import Rejected, Unavailable
from app.demo.events import Event

BATCH_SIZE = 1_000
TIMEOUT_SECONDS = 30.0
PATIENCE_SECONDS = 120.0
"""How long one batch is tried again and again."""
TRY_AGAIN = (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE)


class Sender:
    """Sends batches with one key; each thread has a connection of its own. Leaving the context closes them."""

    def __init__(
        self,
        url: str,
        api_key: str,
        *,
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """`url` is where the service is, without a path."""
        parts = urlsplit(url)
        self._secure = parts.scheme == "https"
        self._address = parts.hostname or "", parts.port
        self._api_key = api_key
        self._monotonic = monotonic
        self._sleep = sleep
        self._own = threading.local()
        self._opened: list[http.client.HTTPConnection] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for connection in self._opened:
            connection.close()

    def send(self, events: list[Event], *, idempotency_key: str) -> int:
        """Send the events in batches, each until it is answered with 204; returns how many there were.

        The batches are told apart by the Idempotency-Key, so a repeat stores nothing twice. Waits as long as a 429
        or 503 asks for. Raises Unavailable where the service does not take a batch for two minutes, and Rejected
        where it never would.
        """
        for number, batch in enumerate(_batches(events)):
            self._send_one(json.dumps({"events": batch}).encode(), f"{idempotency_key}/{number}")
        return len(events)

    def _send_one(self, body: bytes, idempotency_key: str) -> None:
        give_up_at = self._monotonic() + PATIENCE_SECONDS
        while True:
            status, wait_seconds, text = self._post(body, idempotency_key)
            if status == HTTPStatus.NO_CONTENT:
                return
            if status == HTTPStatus.UNAUTHORIZED:
                raise Rejected("the service does not know a key of this database: does --url lead to the right one?")
            if status not in TRY_AGAIN and status:
                raise Rejected(f"the service answered {status}: {text[:300]}")
            if self._monotonic() + wait_seconds > give_up_at:
                raise Unavailable(f"the service does not take the events: {text[:300]}")
            self._sleep(wait_seconds)

    def _post(self, body: bytes, idempotency_key: str) -> tuple[int, float, str]:
        """Status, seconds to wait before the next attempt, and what was said; status 0 where no answer came."""
        headers = {
            "Authorization": f"Bearer {self._api_key}",
            "Content-Type": "application/json",
            "Idempotency-Key": idempotency_key,
        }
        connection = self._connection()
        try:
            connection.request("POST", BATCH_PATH, body, headers)
            answer = connection.getresponse()
            text = answer.read().decode(errors="replace")
        except (OSError, http.client.HTTPException) as error:
            # The next request opens a new connection.
            connection.close()
            return 0, 1.0, str(error) or type(error).__name__
        asked = answer.getheader("Retry-After", "1")
        return answer.status, float(asked) if asked.isdecimal() else 1.0, text

    def _connection(self) -> http.client.HTTPConnection:
        if not hasattr(self._own, "connection"):
            host, port = self._address
            kind = http.client.HTTPSConnection if self._secure else http.client.HTTPConnection
            self._own.connection = kind(host, port, timeout=TIMEOUT_SECONDS)
            self._opened.append(self._own.connection)
        connection: http.client.HTTPConnection = self._own.connection
        return connection


def _batches(events: list[Event]) -> Iterator[list[Event]]:
    for begin in range(0, len(events), BATCH_SIZE):
        yield events[begin : begin + BATCH_SIZE]

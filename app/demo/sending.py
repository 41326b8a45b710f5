"""The way of the demo's events to the service: its batch endpoint, as any client would use it."""

import http.client
import json
import time
from collections.abc import Callable
from http import HTTPStatus
from urllib.parse import urlsplit

from app.core.contract import BATCH_PATH
from app.core.errors import Rejected, Unavailable
from app.demo.events import Event

BATCH_SIZE = 1_000
TIMEOUT_SECONDS = 30.0
PATIENCE_SECONDS = 120.0
"""How long one batch is tried again and again."""
TRY_AGAIN = (0, HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE)


def send(
    events: list[Event],
    url: str,
    api_key: str,
    *,
    idempotency_key: str,
    monotonic: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> int:
    """Send the events in batches, each until it is answered with 204; returns how many there were.

    `url` is where the service is, without a path. The batches are told apart by the Idempotency-Key, so a repeat stores
    nothing twice. Waits as long as a 429 or 503 asks for. Raises Unavailable where the service does not take a batch
    for two minutes, and Rejected where it never would.
    """
    for number, begin in enumerate(range(0, len(events), BATCH_SIZE)):
        body = json.dumps({"events": events[begin : begin + BATCH_SIZE]}).encode()
        give_up_at = monotonic() + PATIENCE_SECONDS
        while True:
            status, wait_seconds, text = _post(url, body, api_key, f"{idempotency_key}/{number}")
            if status == HTTPStatus.NO_CONTENT:
                break
            if status == HTTPStatus.UNAUTHORIZED:
                raise Rejected("the service does not know a key of this database: does --url lead to the right one?")
            if status not in TRY_AGAIN:
                raise Rejected(f"the service answered {status}: {text[:300]}")
            if monotonic() + wait_seconds > give_up_at:
                raise Unavailable(f"the service does not take the events: {text[:300]}")
            sleep(wait_seconds)
    return len(events)


def _post(url: str, body: bytes, api_key: str, idempotency_key: str) -> tuple[int, float, str]:
    """Status, seconds to wait before the next attempt, and what was said; status 0 where no answer came."""
    parts = urlsplit(url)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = kind(parts.hostname or "", parts.port, timeout=TIMEOUT_SECONDS)
    headers = {
        "Authorization": f"Bearer {api_key}",
        "Content-Type": "application/json",
        "Idempotency-Key": idempotency_key,
    }
    try:
        connection.request("POST", BATCH_PATH, body, headers)
        answer = connection.getresponse()
        text = answer.read().decode(errors="replace")
    except (OSError, http.client.HTTPException) as error:
        return 0, 1.0, str(error) or type(error).__name__
    finally:
        connection.close()
    asked = answer.getheader("Retry-After", "1")
    return answer.status, float(asked) if asked.isdecimal() else 1.0, text

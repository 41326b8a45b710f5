"""Batches of events, and how they are sent."""

from collections.abc import Callable
from typing import Any

import httpx

from app.core.stream.events import Event
from tests.api_keys import create_key

PATH = "/api/v1/prompts/analytics"


BATCH_PATH = f"{PATH}/batch"


PROMPT_ID = "123e4567-e89b-12d3-a456-426614174000"


EVENT: dict[str, Any] = {"prompt_id": PROMPT_ID, "version_hash": "v"}


Buffered = Callable[[], list[Event]]


def events(count: int, **fields: Any) -> list[dict[str, Any]]:
    """Numbered by their latency."""
    return [{**EVENT, "latency_ms": number, **fields} for number in range(count)]


def post(client: httpx.Client, batch: list[Any], **headers: str) -> httpx.Response:
    return client.post(BATCH_PATH, json={"events": batch}, headers=headers)


def bearer(database_url: str, rate_limit: str | None = "100000/minute", project: str = "demo") -> dict[str, str]:
    return {"Authorization": f"Bearer {create_key(database_url, rate_limit=rate_limit, project=project)}"}

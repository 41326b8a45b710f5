"""What tests of deployments share."""

from collections.abc import Callable

import httpx
import pytest

from tests.api_keys import create_key
from tests.batches import EVENT, PATH
from tests.waiting import wait_until

STORED_SECONDS = 30.0


@pytest.fixture
def authorization(database_url: str, clean_database: None, clean_redis: None) -> dict[str, str]:
    """The header of a key that may send and read, in a project without events."""
    return {"Authorization": f"Bearer {create_key(database_url, scopes=['ingest', 'read'])}"}


@pytest.fixture
def goes_through(authorization: dict[str, str]) -> Callable[[str], None]:
    """Sends an event to the web process of this URL, and waits until its read API counts it."""

    def send_and_read(url: str) -> None:
        with httpx.Client(base_url=url, headers=authorization, timeout=30) as client:
            assert client.post(PATH, json=EVENT).status_code == 204
            wait_until(lambda: client.get(PATH).json()["data"]["totals"]["events"] == 1, STORED_SECONDS)

    return send_and_read

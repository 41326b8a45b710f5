"""What tests of the read API share."""

from collections.abc import Iterator

import httpx
import pytest

from tests.api_keys import create_key


@pytest.fixture
def read_key(database_url: str, clean_database: None, clean_redis: None) -> str:
    return create_key(database_url, scopes=["read"])


@pytest.fixture
def client(web: str, read_key: str) -> Iterator[httpx.Client]:
    """Speaks to the real gunicorn with a key that may read."""
    with httpx.Client(base_url=web, headers={"Authorization": f"Bearer {read_key}"}) as client:
        yield client

"""The browser of an admin of project 1."""

from collections.abc import Iterator

import httpx
import pytest

from tests.sign_in import signed_in_client


@pytest.fixture
def admin(web: str, database_url: str, project_id: int) -> Iterator[httpx.Client]:
    with signed_in_client(web, database_url) as client:
        yield client

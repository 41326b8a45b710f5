"""What tests of the audit log share."""

from collections.abc import Iterator

import httpx
import pytest

from tests.sign_in import signed_in_client


@pytest.fixture
def admin(clean_database: None, web: str, database_url: str) -> Iterator[httpx.Client]:
    """Of project 1."""
    with signed_in_client(web, database_url, project="one", email="admin@one.example") as client:
        yield client


@pytest.fixture
def operator(admin: httpx.Client, web: str, database_url: str) -> Iterator[httpx.Client]:
    """Of project 2."""
    with signed_in_client(web, database_url, project="two", email="root@two.example", is_operator=True) as client:
        yield client

"""What tests of the page of API keys share."""

from collections.abc import Callable, Iterator
from typing import Any
from uuid import uuid4

import httpx
import psycopg
import pytest

from tests.api_keys_page import SELECT_KEYS
from tests.sign_in import create_project, signed_in_client


@pytest.fixture
def project() -> str:
    return f"keys-{uuid4()}"


@pytest.fixture
def admin(web: str, database_url: str, project: str) -> Iterator[httpx.Client]:
    with signed_in_client(web, database_url, project=project) as client:
        yield client


@pytest.fixture
def project_id(database_url: str, project: str) -> int:
    return create_project(database_url, project)


@pytest.fixture
def stored(database_url: str, project_id: int) -> Callable[[], list[tuple[Any, ...]]]:
    """Calling it returns the keys of the project."""

    def read() -> list[tuple[Any, ...]]:
        with psycopg.connect(database_url) as connection:
            return connection.execute(SELECT_KEYS, [project_id]).fetchall()

    return read

"""What tests of the system page share."""

from collections.abc import Callable, Iterator
from uuid import uuid4

import httpx
import pytest

from tests.databases import kept_connection
from tests.sign_in import create_project, signed_in_client
from tests.system_page import INSERT_DEAD_LETTER


@pytest.fixture
def project() -> str:
    return f"system-{uuid4()}"


@pytest.fixture
def project_id(database_url: str, project: str) -> int:
    return create_project(database_url, project)


@pytest.fixture
def admin(web: str, database_url: str, project: str) -> Iterator[httpx.Client]:
    with signed_in_client(web, database_url, project=project) as client:
        yield client


@pytest.fixture
def operator(web: str, database_url: str, project: str) -> Iterator[httpx.Client]:
    with signed_in_client(
        web, database_url, project=project, email=f"operator@{project}.example", is_operator=True
    ) as client:
        yield client


@pytest.fixture
def no_letters(database_url: str) -> None:
    with kept_connection(database_url) as connection:
        connection.execute("DELETE FROM dead_letters")


@pytest.fixture
def set_aside(database_url: str, no_letters: None) -> Callable[..., int]:
    """Calling it makes a dead letter and returns its id."""

    def insert(project_id: int | None, payload: bytes = b"x", reason: str = "refused") -> int:
        with kept_connection(database_url) as connection:
            row = connection.execute(INSERT_DEAD_LETTER, [str(uuid4()), payload, reason, project_id]).fetchone()
            assert row is not None
            return int(row[0])

    return insert

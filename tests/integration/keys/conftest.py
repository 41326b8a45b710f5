"""What tests of the life of keys share."""

from collections.abc import Iterator

import pytest

from app.core.database import Connection, ConnectionPool
from app.core.queries.projects import insert_project


@pytest.fixture
def connection(pool: ConnectionPool) -> Iterator[Connection]:
    with pool.connection() as connection:
        yield connection


@pytest.fixture
def project_id(connection: Connection) -> int:
    return insert_project(connection, "demo")

"""What tests of the fold share."""

from collections.abc import Iterator

import pytest

from app.core.database import Connection
from tests.drains import open_connection
from tests.usage_recount import new_project


@pytest.fixture
def database(database_url: str, clean_database: None) -> Iterator[Connection]:
    with open_connection(database_url) as connection:
        yield connection


@pytest.fixture
def project_id(database: Connection) -> int:
    return new_project(database)

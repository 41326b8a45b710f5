"""A project, a receiver, and couriers of a test's own."""

from collections.abc import Iterator

import pytest

from app.core.database import Connection
from tests.clocks import Clock
from tests.receivers import Receiver, open_receiver


@pytest.fixture
def database(database: Connection, clean_database: None) -> Connection:
    """With one project, whose id is 1."""
    database.execute("INSERT INTO projects (name) VALUES ('shop')")
    return database


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with open_receiver() as receiver:
        yield receiver


@pytest.fixture
def clock() -> Clock:
    """A minute ahead of PostgreSQL's, which says since when deliveries are due; it stands unless a test moves it."""
    clock = Clock()
    clock.seconds += 60
    return clock

"""A PgBouncer before the PostgreSQL of the tests, for all tests of this folder."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from app.core.database import Connection, ConnectionPool, connect, open_pool
from app.local.children import Guard
from tests.pgbouncer import PROGRAM, RunningPgBouncer


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Where there is none the tests say so."""
    if PROGRAM is None:
        for item in items:
            if item.path.is_relative_to(Path(__file__).parent):
                item.add_marker(
                    pytest.mark.skip(reason="PgBouncer is not installed (Debian: apt-get install pgbouncer)")
                )


@pytest.fixture(scope="session")
def pgbouncer(server_folder: Path, guard: Guard, database_url: str) -> Iterator[RunningPgBouncer]:
    server = RunningPgBouncer(server_folder / "pgbouncer", guard, database_url)
    yield server
    server.kill()


@pytest.fixture(autouse=True)
def it_runs(pgbouncer: RunningPgBouncer) -> Iterator[None]:
    yield
    if pgbouncer.exit_code() is not None:
        pgbouncer.restart()


@pytest.fixture
def pooled(pgbouncer: RunningPgBouncer) -> Iterator[Connection]:
    """A connection with the settings of web."""
    with connect(pgbouncer.url, application_name="test", statement_timeout_ms=5_000) as connection:
        yield connection


@pytest.fixture
def pool(pgbouncer: RunningPgBouncer) -> Iterator[ConnectionPool]:
    with open_pool(pgbouncer.url, application_name="tests", size=4) as pool:
        yield pool

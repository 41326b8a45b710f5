"""A hot standby of the PostgreSQL of the tests, and a web process that reads from it."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from app.core.database import ConnectionPool, open_pool
from app.core.operations.replica import Replica
from app.local.children import Guard
from app.local.postgres import RunningPostgres
from tests.processes import app_environment, start_process
from tests.standby import RunningStandby, basebackup_of, start_standby
from tests.waiting import wait_until


@pytest.fixture(scope="session")
def standby(
    server_folder: Path, guard: Guard, postgres: RunningPostgres, database_url: str
) -> Iterator[RunningStandby]:
    if not basebackup_of(postgres).exists():
        pytest.skip("this PostgreSQL comes without pg_basebackup, so it can have no standby")
    server = start_standby(server_folder / "standby", guard, postgres)
    yield server
    server.kill()


@pytest.fixture(scope="session")
def web(server_folder: Path, guard: Guard, standby: RunningStandby, database_url: str, redis_url: str) -> Iterator[str]:
    """One process, so that all requests know the same of the standby."""
    environment = app_environment(database_url, redis_url, database_read_url=standby.url, web_concurrency="1")
    process = start_process("web", guard, server_folder, environment)
    yield process.url
    process.stop()


@pytest.fixture
def pools(standby: RunningStandby, database_url: str) -> Iterator[tuple[ConnectionPool, ConnectionPool]]:
    """To the primary and to the standby."""
    with (
        open_pool(database_url, application_name="tests", size=2) as primary,
        open_pool(standby.url, application_name="tests", size=2) as reading,
    ):
        yield primary, reading


@pytest.fixture
def replica(pools: tuple[ConnectionPool, ConnectionPool]) -> Replica:
    return Replica(*pools)


@pytest.fixture(autouse=True)
def it_follows(web: str, standby: RunningStandby, postgres: RunningPostgres, clean_database: None) -> None:
    """Whatever the test before has done to it, it has what the primary has, and is read."""
    if standby.exit_code() is not None:
        standby.restart()
    standby.wait_for(postgres)
    wait_until(lambda: replica_state(web) == "in use")


def replica_state(web: str) -> str:
    return str(httpx.get(f"{web}/readyz").json()["data"]["replica"]["state"])

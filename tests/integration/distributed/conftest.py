"""A distributed database, or an installation that is about to become one; skipped, with the reason, without Citus."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from app.core.database import Connection, connect
from app.core.migrations import migrate
from app.core.migrations.distribution import distribute
from app.local.children import Guard
from app.local.citus import SHARDS, Cluster, open_cluster, why_not_here


@pytest.fixture(scope="module")
def cluster(server_folder: Path, guard: Guard) -> Iterator[Cluster]:
    if reason := why_not_here():
        pytest.skip(reason)
    with open_cluster(server_folder / "citus", guard) as cluster:
        yield cluster


@pytest.fixture
def installation(cluster: Cluster) -> Iterator[str]:
    """The URL of a migrated database on the coordinator, nothing of which is distributed."""
    url = cluster.make_database()
    migrate(url)
    yield url
    cluster.drop_database(url)


@pytest.fixture
def coordinator(installation: str) -> Iterator[Connection]:
    with connect(installation, application_name="test", statement_timeout_ms=60_000) as connection:
        yield connection


@pytest.fixture
def distributed(installation: str, coordinator: Connection) -> str:
    """The URL of a database that is distributed."""
    distribute(coordinator, shards=SHARDS)
    return installation


@pytest.fixture
def another(installation: str) -> Iterator[Connection]:
    """Another connection to the coordinator."""
    with connect(installation, application_name="test", statement_timeout_ms=60_000) as connection:
        yield connection

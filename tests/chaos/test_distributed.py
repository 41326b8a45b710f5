"""An installation becomes a distributed one under load, and then its nodes and its coordinator are killed.

As everywhere, what was acknowledged is stored once, and the rollups equal a recount.
"""

import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path

import psycopg
import pytest

from app.core.queries.distribution import is_distributed
from app.local.children import REPOSITORY, Guard
from app.local.citus import SHARDS, Cluster, open_cluster, why_not_here
from app.local.web_client import get
from chaos.detector import ask_detector
from chaos.folding import is_folded
from chaos.servers import Servers, start_chaos_redis
from chaos.service import Service, open_service
from chaos.verdict import verdict_on
from tests.waiting import wait_until

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(300)]

PREPARED = "SELECT gid FROM pg_prepared_xacts WHERE database = current_database()"


@dataclass(frozen=True)
class ClusterServers(Servers):
    """Redis, and a cluster whose coordinator is the PostgreSQL."""

    citus: Cluster = field(kw_only=True)

    def new_database(self) -> str:
        """On the coordinator; nothing of it is distributed."""
        return self.citus.make_database()

    def make_sure_they_run(self) -> None:
        super().make_sure_they_run()
        self.citus.restart_those_that_ended()


@pytest.fixture
def servers(tmp_path: Path) -> Iterator[ClusterServers]:
    if reason := why_not_here():
        pytest.skip(reason)
    with Guard() as guard, open_cluster(tmp_path / "citus", guard) as cluster:
        redis = start_chaos_redis(tmp_path / "redis", guard, "--appendfsync", "always")
        yield ClusterServers(tmp_path, guard, cluster.coordinator, redis, citus=cluster)


def run_command(service: Service, *command: str) -> None:
    """Beside the service, as an operator does."""
    program = [sys.executable, "-m", "app", *command]
    service.servers.guard.run(
        program, name=command[0], timeout_seconds=120, environment=service.environment, cwd=REPOSITORY
    )


def stored(service: Service) -> int:
    with psycopg.connect(service.database_url) as connection:
        row = connection.execute("SELECT count(*) FROM events").fetchone()
    assert row is not None
    return int(row[0])


def wait_until_more_is_stored(service: Service) -> None:
    before = stored(service)
    wait_until(lambda: stored(service) > before, 120)


def test_nothing_is_lost_or_doubled_when_nodes_and_coordinator_are_killed_under_load(servers: ClusterServers):
    cluster = servers.citus
    with open_service(servers, "distributed") as service:
        service.wait_until_up()
        with service.load(1, batch_events_per_second=600, single_pause_seconds=0.05):
            service.wait_for(200)
            run_command(service, "distribute", "--yes", "--shards", str(SHARDS))
            with psycopg.connect(service.database_url, autocommit=True) as connection:
                assert is_distributed(connection)
            for server in (cluster.nodes[0], cluster.coordinator, cluster.nodes[1], cluster.coordinator):
                wait_until_more_is_stored(service)
                server.kill()
                # web goes on, and events wait in the buffer
                service.wait_for(300)
                server.restart()
        service.wait_until_empty(120)
        # nodes have no common moment: beside a fold a reader of all of them may see half of it
        wait_until(lambda: is_folded(service.database_url), 120)
        wait_until(lambda: not cluster.ask_nodes(service.database_url, PREPARED), 60)
        verdict = verdict_on(service)
        assert verdict.holds, verdict
        assert verdict.figures["acked"] > 1_400
        assert ask_detector(service, 0).is_right(0)
        # exits with 1 where it does not add up
        run_command(service, "ledger")
        wait_until(lambda: get(service.port, "/readyz")[0] == HTTPStatus.OK, 60)

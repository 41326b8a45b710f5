"""A worker hangs, waits for somebody, sets events aside, or does its upkeep by the wrong clock."""

from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from uuid import UUID

import psutil
import psycopg
import pytest
import redis

from app.core.database import open_pool
from app.core.operations.readiness import check_database
from app.core.stream.buffer import EventBuffer
from app.core.stream.events import Event, encode_event, new_event_id
from app.core.stream.state import STREAM
from tests.conftest import StartProcess
from tests.processes import AppProcess
from tests.runbook_entries import Operator, entries
from tests.waiting import wait_until

pytestmark = pytest.mark.timeout(180)


@pytest.fixture
def locked_rollups(database_url: str, operator: Operator):
    """A connection of somebody who has locked a table of ours and forgotten it."""
    with closing(psycopg.connect(database_url, application_name="forgotten")) as connection:
        connection.execute("LOCK TABLE rollup_additions IN EXCLUSIVE MODE")
        yield connection


def test_a_worker_hangs_and_holds_events(
    *,
    operator: Operator,
    post: Callable[[], int],
    start: StartProcess,
    work: Callable[[], AppProcess],
    stored: Callable[[], int],
    redis_client: redis.Redis,
    locked_rollups: "psycopg.Connection[tuple[object, ...]]",
) -> None:
    hanging = start("worker", worker_name="hanging")
    assert post() == 204
    wait_until(lambda: EventBuffer(redis_client).state().pending == 1, 30)
    psutil.Process(hanging.pid).suspend()
    locked_rollups.rollback()
    printed = operator.follow("worker_not_draining", after={2: work}, PID=str(hanging.pid))
    assert "hanging" in printed[0]
    assert "Buffered events               0\n" in printed[2]
    wait_until(lambda: hanging.exit_code() is not None)
    assert stored() == 1


def test_somebody_has_locked_rows(
    *,
    operator: Operator,
    post: Callable[[], int],
    start: StartProcess,
    stored: Callable[[], int],
    redis_client: redis.Redis,
    locked_rollups: "psycopg.Connection[tuple[object, ...]]",
) -> None:
    assert post() == 204
    worker = start("worker")
    said = wait_until(lambda: [line for line in worker.log().splitlines() if "stay in the buffer" in line], 40)
    assert entries()["locked_rows"].says(said[0])
    forgotten = str(locked_rollups.info.backend_pid)
    printed = operator.follow(
        "locked_rows", after={2: lambda: wait_until(lambda: redis_client.xlen(STREAM) == 0, 60)}, PID=forgotten
    )
    assert forgotten in printed[0]
    assert "forgotten" in printed[0]
    assert "Buffered events               0\n" in printed[2]
    assert stored() == 1


def test_somebody_has_locked_rows_that_a_fold_needs(
    *,
    operator: Operator,
    post: Callable[[], int],
    start: StartProcess,
    work: Callable[[], AppProcess],
    database_url: str,
) -> None:
    assert post() == 204
    work()
    with closing(psycopg.connect(database_url, application_name="forgotten")) as connection:
        connection.execute("UPDATE rollup_additions SET added_at = added_at - interval '1 hour'")
        connection.commit()
        connection.execute("LOCK TABLE rollups IN EXCLUSIVE MODE")
        worker = start("worker")
        said = wait_until(lambda: [line for line in worker.log().splitlines() if "not folded yet" in line], 40)
        assert entries()["locked_rows"].says(said[0])
        assert "docs/runbook.md#locked_rows" in said[0]
        printed = operator.follow("locked_rows", PID=str(connection.info.backend_pid))
        assert "forgotten" in printed[0]
    with psycopg.connect(database_url, autocommit=True) as connection:
        wait_until(lambda: connection.execute("SELECT count(*) FROM rollup_additions").fetchone() == (0,), 60)


def test_events_are_set_aside(
    *,
    operator: Operator,
    start: StartProcess,
    stored: Callable[[], int],
    redis_client: redis.Redis,
    database_url: str,
) -> None:
    redis_client.xadd(STREAM, {"e": encode_event(Event(new_event_id(), 1, UUID(int=1), "v"))})
    worker = start("worker")
    said = wait_until(lambda: [line for line in worker.log().splitlines() if "dead letter" in line], 30)
    assert entries()["dead_letters"].says(said[0])
    assert "docs/runbook.md#dead_letters" in said[0]
    with psycopg.connect(database_url) as connection:
        connection.execute("INSERT INTO projects (name) VALUES ('demo')")
    printed = operator.follow("dead_letters")
    assert len(printed[0].splitlines()) == 2
    assert printed[1].startswith("put back: 1\nstored: ")
    wait_until(lambda: stored() == 1, 40)


def test_the_clocks_disagree(operator: Operator, database_url: str) -> None:
    """The nearest to a wrong clock: the check is asked with another time than this machine's."""
    with open_pool(database_url, application_name="tests", size=1) as pool:
        found = check_database(pool, datetime.now(UTC) + timedelta(hours=2))
        assert entries()["clocks"].says(str(found["clocks"]))
        printed = operator.follow("clocks")
        assert f"{datetime.now(UTC):%Y-%m-%d}" in printed[0]
        assert check_database(pool, datetime.now(UTC))["clocks"] is None

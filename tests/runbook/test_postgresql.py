"""PostgreSQL is down, slow, not migrated, without a partition, or wrong: the entry says so, and leads out of it."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest
import redis
from flask.testing import FlaskClient
from psycopg import sql

from app.core.database import connect
from app.core.migrations import migrate
from app.core.rollups.latency_histogram import COMPACT_ABOVE_BYTES
from app.core.stream.state import STREAM
from app.local.children import Guard
from app.local.postgres import RunningPostgres
from tests.batches import PATH, bearer
from tests.conftest import StartProcess
from tests.databases import new_database
from tests.folds import fold_all
from tests.health import problems
from tests.processes import AppProcess, app_environment, start_process
from tests.runbook_entries import Operator, entries
from tests.waiting import wait_until

pytestmark = pytest.mark.timeout(180)
SLOW_DOWN = """
CREATE FUNCTION wait_a_while() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(30); RETURN NULL; END $$;
CREATE TRIGGER slow AFTER INSERT ON events FOR EACH STATEMENT EXECUTE FUNCTION wait_a_while()
"""


@pytest.fixture
def own_database(postgres: RunningPostgres) -> Iterator[str]:
    with new_database(postgres.url) as url:
        yield url


@pytest.fixture
def own_operator(own_database: str, redis_url: str, clean_redis: None) -> Operator:
    return Operator(app_environment(own_database, redis_url))


@pytest.fixture
def own_client(own_database: str, redis_url: str, open_client: Callable[..., FlaskClient]) -> FlaskClient:
    return open_client(own_database, redis_url)


def test_postgresql_is_down(
    *,
    operator: Operator,
    client: FlaskClient,
    problem: Callable[[str], str],
    post: Callable[[], int],
    postgres: RunningPostgres,
    work: Callable[[], AppProcess],
    stored: Callable[[], int],
    database_url: str,
) -> None:
    reader = {"Authorization": bearer(database_url)["Authorization"]}
    assert post() == 204
    postgres.stop()
    assert entries()["postgresql"].says(problem("postgresql"))
    assert post() == 204
    refused = client.get(PATH, headers=reader)
    assert refused.status_code == 503
    assert entries()["unavailable"].says(refused.text)
    assert "PostgreSQL does not answer" in operator.follow("unavailable", may_fail={1})[0]
    printed = operator.follow("postgresql", may_fail={1}, after={1: postgres.restart})
    assert "Buffered events               2\n" in printed[1]
    work()
    assert stored() == 2


def test_postgresql_is_slow(
    *,
    operator: Operator,
    post: Callable[[], int],
    start: StartProcess,
    redis_client: redis.Redis,
    database_url: str,
    stored: Callable[[], int],
) -> None:
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(SLOW_DOWN)
        try:
            assert post() == 204
            worker = start("worker")
            said = wait_until(lambda: [line for line in worker.log().splitlines() if "stay in the buffer" in line], 60)
            assert entries()["postgresql_slow"].says(said[0])
            pid = wait_until(lambda: sleeping_worker(connection), 60)
            printed = operator.follow("postgresql_slow", PID=str(pid))
            assert "PgSleep" in printed[0]
        finally:
            connection.execute("DROP FUNCTION wait_a_while CASCADE")
    wait_until(lambda: redis_client.xlen(STREAM) == 0, 60)
    assert stored() == 1


def sleeping_worker(connection: "psycopg.Connection[tuple[object, ...]]") -> object:
    waiting = "SELECT pid FROM pg_stat_activity WHERE application_name = 'pa-worker' AND wait_event = 'PgSleep'"
    row = connection.execute(waiting).fetchone()
    return row and row[0]


def test_the_database_is_not_migrated(own_operator: Operator, own_client: FlaskClient) -> None:
    assert entries()["migrations"].says(problems(own_client)["migrations"])
    own_operator.follow("migrations")
    wait_until(lambda: own_client.get("/readyz").status_code == 200)


def test_the_database_is_of_another_release(own_operator: Operator, own_database: str, own_client: FlaskClient) -> None:
    migrate(own_database)
    with psycopg.connect(own_database) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    found = problems(own_client)["migrations"]
    assert entries()["migrations"].says(found)
    assert "does not know" in own_operator.run("python -m app migrate").stderr


def test_there_is_no_partition_for_today(own_operator: Operator, own_database: str, own_client: FlaskClient) -> None:
    migrate(own_database)
    with psycopg.connect(own_database) as connection:
        connection.execute(sql.SQL("DROP TABLE {}").format(partition_of_today()))
    assert entries()["partitions"].says(problems(own_client)["partitions"])
    own_operator.follow("partitions")
    wait_until(lambda: own_client.get("/readyz").status_code == 200)


def partition_of_today() -> sql.Identifier:
    return sql.Identifier(f"events_{datetime.now(UTC):%Y%m%d}")


def test_partitions_are_detached(
    own_operator: Operator, own_database: str, own_client: FlaskClient, guard: Guard, tmp_path: Path
) -> None:
    migrate(own_database)
    with psycopg.connect(own_database) as connection:
        connection.execute(sql.SQL("ALTER TABLE events DETACH PARTITION {}").format(partition_of_today()))
    found = problems(own_client)["partitions"]
    assert entries()["partitions_detached"].says(found)
    assert "no partition for today" in found
    assert "docs/runbook.md#partitions_detached" in own_operator.run("python -m app migrate").stderr
    worker = start_process("worker", guard, tmp_path, dict(own_operator.environment))
    try:
        said = wait_until(lambda: [line for line in worker.log().splitlines() if "upkeep put off" in line], 30)
        assert "docs/runbook.md#partitions_detached" in said[0]
        own_operator.follow("partitions_detached")
        wait_until(lambda: own_client.get("/readyz").status_code == 200)
    finally:
        worker.kill()


def test_rollups_are_wrong(
    operator: Operator, post: Callable[[], int], work: Callable[[], AppProcess], database_url: str
) -> None:
    assert post() == 204
    work()
    with connect(database_url, application_name="tests", statement_timeout_ms=10_000) as connection:
        fold_all(connection)
        connection.execute("UPDATE rollups SET events = events + 1 WHERE grain = 'hour'")
    printed = operator.follow("rollups_wrong")
    assert "1 hours miscounted" in printed[0]
    assert entries()["rollups_wrong"].says(printed[0])
    assert "wrong were" in printed[0]


def test_a_latency_histogram_is_damaged(
    operator: Operator, post: Callable[[], int], work: Callable[[], AppProcess], database_url: str
) -> None:
    assert post() == 204
    worker = work()
    with connect(database_url, application_name="tests", statement_timeout_ms=10_000) as connection:
        fold_all(connection)
        connection.execute("UPDATE rollups SET latency_histogram = %s", [bytes(COMPACT_ABOVE_BYTES + 1)])
        assert post() == 204
        make_due = "UPDATE rollup_additions SET added_at = added_at - interval '1 hour'"
        wait_until(lambda: connection.execute(make_due).rowcount == 1, 40)
    said = wait_until(lambda: [line for line in worker.log().splitlines() if "histogram is damaged" in line], 40)
    assert entries()["rollups_wrong"].says(said[0])
    assert "docs/runbook.md#rollups_wrong" in said[0]
    printed = operator.follow("rollups_wrong")
    assert entries()["rollups_wrong"].says(printed[0])
    assert "wrong were" in printed[0]

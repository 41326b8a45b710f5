"""Web, workers and commands through a PgBouncer with fewer server connections than they have: the same law holds."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import psycopg
import pytest

from app.core.errors import PoolerInTheWay
from app.core.migrations import migrate
from app.core.queries.partitions import ensure_partitions, partition_name
from tests.api_keys import create_key
from tests.commands import fails_with_one_line, run_command, select
from tests.conftest import StartProcess
from tests.databases import new_database
from tests.pgbouncer import RunningPgBouncer
from tests.sign_in import create_project, signed_in_client
from tests.stored_events import an_event, store_events
from tests.traffic import PATH, Traffic, assert_each_stored_once, wait_until_drained
from tests.waiting import wait_until

pytestmark = pytest.mark.usefixtures("clean_database", "clean_redis")


@pytest.mark.timeout(180)
def test_events_are_stored_exactly_once_while_it_is_killed_and_restarted(
    start: StartProcess, pgbouncer: RunningPgBouncer, database_url: str, redis_url: str
) -> None:
    """Two workers and two web processes; batches with repeats need the temporary tables, folds too."""
    key = create_key(database_url, rate_limit="10000000/minute")
    web = start("web", database_url=pgbouncer.url, web_concurrency="2").url
    workers = [start("worker", database_url=pgbouncer.url, worker_name=f"worker.{number}") for number in (1, 2)]
    with Traffic(web, key, retry=True).flowing() as flow:
        flow.wait_for(150)
        pgbouncer.kill()
        flow.wait_for(100)
        pgbouncer.restart()
        flow.wait_for(150)
        pgbouncer.kill()
        pgbouncer.restart()
        flow.wait_for(100)
    wait_until_drained(redis_url)
    assert_each_stored_once(database_url, flow)
    assert "DATABASE_DIRECT_URL" in workers[0].log(), "the upkeep was put off, and its reason says what to set"


def test_the_read_api_and_the_pages_answer_through_it(
    start: StartProcess, pgbouncer: RunningPgBouncer, database_url: str
) -> None:
    web = start("web", database_url=pgbouncer.url).url
    key = create_key(database_url, scopes=["ingest", "read"])
    with httpx.Client(base_url=web, headers={"Authorization": f"Bearer {key}"}, timeout=20) as client:
        for _ in range(12):
            assert client.get(PATH).json()["data"]["totals"]["events"] == 0
        assert client.get("/readyz").json()["data"]["checks"]["postgresql"] == "ok"
    with signed_in_client(web, database_url, role="admin", project="demo") as admin:
        for page in ("/dashboard", "/dashboard/system", "/dashboard/members", "/dashboard/events.csv"):
            assert admin.get(page).status_code == 200


def test_commands_run_through_it_but_those_that_need_a_session_name_the_setting(
    pgbouncer: RunningPgBouncer, database_url: str, redis_url: str
) -> None:
    pooled = {"database_url": pgbouncer.url, "redis_url": redis_url, "secret_key": "s" * 32}
    create_key(database_url, project="demo")
    for command in ("keys list", "status", "ledger", "losses list", "users list", "dead-letters list", "reader"):
        assert run_command(*command.split(), **pooled).exit_code == 0, command
    made = run_command("keys", "create", "--project", "demo", "--name", "k", **pooled)
    assert (made.exit_code, made.stderr) == (0, "")
    assert "DATABASE_DIRECT_URL" in fails_with_one_line(run_command("migrate", **pooled))
    assert run_command("migrate", database_direct_url=database_url, **pooled).exit_code == 0
    assert run_command("recount", database_direct_url=database_url, **pooled).exit_code == 0


def test_files_are_neither_written_nor_read_through_it(
    pgbouncer: RunningPgBouncer, database_url: str, redis_url: str, tmp_path: Path
) -> None:
    """A day's cursor and the tables of an import outlive a transaction: another client would get them."""
    pooled = {"database_url": pgbouncer.url, "redis_url": redis_url, "secret_key": "s" * 32}
    direct = {**pooled, "database_direct_url": database_url}
    store_events(database_url, [an_event(create_project(database_url, "demo"), timedelta(days=1))])
    export = ("export", "--project", "demo", "--format", "csv", "--out", str(tmp_path))
    assert "DATABASE_DIRECT_URL" in fails_with_one_line(run_command(*export, **pooled))
    exported = run_command(*export, **direct)
    assert exported.exit_code == 0, exported.output
    into = ("import", "--project", "other", str(tmp_path))
    assert "DATABASE_DIRECT_URL" in fails_with_one_line(run_command(*into, **pooled))
    assert select(database_url, "SELECT name FROM projects") == [("demo",)]
    assert "1 new" in run_command(*into, **direct).stdout


def test_a_migration_begins_nothing_through_it(pgbouncer: RunningPgBouncer, database_url: str) -> None:
    with new_database(database_url) as empty:
        through = pgbouncer.url.rpartition("/")[0] + "/" + empty.rpartition("/")[2]
        with pytest.raises(PoolerInTheWay):
            migrate(through)
        with psycopg.connect(empty) as connection:
            assert connection.execute("SELECT to_regclass('alembic_version')").fetchone() == (None,)


def test_a_worker_with_a_direct_url_does_its_upkeep(
    start: StartProcess, pgbouncer: RunningPgBouncer, database_url: str
) -> None:
    old = datetime.now(UTC).date() - timedelta(days=400)
    with psycopg.connect(database_url, autocommit=True) as connection:
        ensure_partitions(connection, old, old)
        start("worker", database_url=pgbouncer.url, database_direct_url=database_url)
        is_gone = "SELECT to_regclass(%s) IS NULL"
        wait_until(lambda: connection.execute(is_gone, (partition_name(old),)).fetchone() == (True,), 40)

"""What workers do all day, on a distributed database: drains, folds, recounts, upkeep, the ledger."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from uuid import UUID

import pytest

from app.core.database import Connection, connect
from app.core.errors import RejectedByDatabase, RowsLocked
from app.core.migrations import migrate
from app.core.migrations.distribution import distribute
from app.core.queries.partitions import partition_name
from app.core.stream.events import Event, idempotency_mark, idempotent_event_id, new_event_id
from app.local.citus import SHARDS, Cluster
from tests.commands import run_command
from tests.drains import an_event
from tests.folds import fold_all
from tests.recount import assert_rollups_equal_a_recount
from tests.usage_recount import new_project
from worker.maintenance import maintain
from worker.store import EventStore, ReceivedEvent

HOUR_MS = 3_600_000
NOON_MS = int(datetime.now(UTC).replace(hour=12, minute=0, second=0, microsecond=0).timestamp() * 1_000)


@pytest.fixture(scope="module")
def url(cluster: Cluster) -> str:
    """Of a distributed database, for all tests of this file."""
    url = cluster.make_database()
    migrate(url)
    with connect(url, application_name="test", statement_timeout_ms=60_000) as connection:
        distribute(connection, shards=SHARDS)
    return url


@pytest.fixture
def database(url: str) -> Iterator[Connection]:
    with connect(url, application_name="test", statement_timeout_ms=60_000) as connection:
        yield connection


@pytest.fixture
def project_id(database: Connection) -> int:
    return new_project(database)


def batch_of(project_id: int, count: int, *, first: int = 0) -> list[ReceivedEvent]:
    """Of some minutes, on both sides of noon."""
    return [
        ReceivedEvent(an_event(project_id, seed), NOON_MS + (seed % 7 - 3) * 60_000)
        for seed in range(first, first + count)
    ]


def a_call(project_id: int, at_ms: int, *, latency_ms: int = 5) -> ReceivedEvent:
    """One with an Idempotency-Key."""
    event_id = idempotent_event_id(idempotency_mark(b"secret", project_id, "k"), at_ms)
    return ReceivedEvent(Event(event_id, project_id, UUID(int=1), "v", Decimal(latency_ms)), at_ms)


def stored(connection: Connection, project_id: int) -> int:
    row = connection.execute("SELECT count(*) FROM events WHERE project_id = %s", [project_id]).fetchone()
    assert row is not None
    return int(row[0])


def test_each_event_counts_once_however_often_and_in_whatever_batch_it_comes(database: Connection, project_id: int):
    batch = batch_of(project_id, 120)
    assert EventStore().store(database, batch[:80]) == (80, [])
    assert EventStore().store(database, batch[40:]) == (40, [])
    fold_all(database)
    assert EventStore().store(database, batch) == (0, [])
    EventStore().store(database, batch_of(project_id, 30, first=120))
    fold_all(database, max_minutes=3)
    assert stored(database, project_id) == 150
    assert assert_rollups_equal_a_recount(database) >= 150
    assert database.execute("SELECT count(*) FROM rollup_additions").fetchone() == (0,)


def test_a_repeat_in_the_next_hour_is_known(database: Connection, project_id: int):
    EventStore().store(database, [a_call(project_id, NOON_MS - 1)])
    assert EventStore().store(database, [a_call(project_id, NOON_MS)]) == (0, [])
    assert EventStore().store(database, [a_call(project_id, NOON_MS, latency_ms=6)]) == (0, [0])


def test_events_of_a_project_that_is_not_there_are_refused(database: Connection):
    with pytest.raises(RejectedByDatabase):
        EventStore().store(database, batch_of(4_711, 3))


def test_what_is_rolled_back_has_left_nothing_on_any_node(database: Connection, project_id: int, url: str):
    with connect(url, application_name="test", statement_timeout_ms=60_000, lock_timeout_ms=200) as other:
        # its versions are known, so that the transaction gets as far as the additions
        EventStore().store(other, batch_of(project_id, 20))
        with database.transaction():
            database.execute("LOCK TABLE rollup_additions IN EXCLUSIVE MODE")
            with pytest.raises(RowsLocked):
                EventStore().store(other, batch_of(project_id, 40, first=20))
    assert stored(database, project_id) == 20
    assert_rollups_equal_a_recount(database)


def test_a_recount_mends_what_is_wrong(database: Connection, project_id: int, url: str):
    EventStore().store(database, batch_of(project_id, 60))
    fold_all(database)
    EventStore().store(database, batch_of(project_id, 20, first=60))
    servers = {"database_url": url, "redis_url": "redis://127.0.0.1:1", "secret_key": "s" * 32}
    database.execute("UPDATE rollups SET events = events + 7 WHERE project_id = %s AND prompt_key = 0", [project_id])
    assert "wrong were" in run_command("recount", **servers).stdout
    assert_rollups_equal_a_recount(database)


def test_what_is_exported_comes_back_once_as_another_project(
    database: Connection, project_id: int, url: str, tmp_path: Path
):
    batch = batch_of(project_id, 90)
    EventStore().store(database, batch[:60])
    fold_all(database)
    EventStore().store(database, batch[60:])
    (name,) = database.execute("SELECT name FROM projects WHERE id = %s", [project_id]).fetchone() or ("",)
    servers = {"database_url": url, "redis_url": "redis://127.0.0.1:1", "secret_key": "s" * 32}
    out = str(tmp_path / "out")
    exported = run_command("export", "--project", name, "--format", "csv", "--out", out, **servers)
    assert exported.exit_code == 0, exported.stderr
    for new in (90, 0):
        imported = run_command("import", "--project", f"{name} again", out, **servers)
        assert f": {new} new, {90 - new} were stored already" in imported.stdout, imported.stderr
    assert_rollups_equal_a_recount(database)


def test_upkeep_makes_and_drops_partitions_on_all_nodes_and_deletes_old_minutes(
    database: Connection, project_id: int, url: str, cluster: Cluster
):
    now = datetime(2031, 5, 20, 12, 30, tzinfo=UTC)
    times = [now - timedelta(days=41), now - timedelta(days=39), now]
    received = [
        ReceivedEvent(Event(new_event_id(), project_id, UUID(int=1), "v", Decimal(5)), int(time.timestamp() * 1_000))
        for time in times
    ]
    assert EventStore().store(database, received).new == 3
    fold_all(database)
    maintain(database, now, retention_days=40)
    assert stored(database, project_id) == 2
    rows = database.execute(
        "SELECT grain, sum(events) FROM rollups WHERE prompt_key = 0 AND project_id = %s GROUP BY 1 ORDER BY 1",
        [project_id],
    )
    assert rows.fetchall() == [("day", 3), ("hour", 3), ("minute", 1)]
    on_nodes = {str(name) for (name,) in cluster.ask_nodes(url, "SELECT relname FROM pg_class WHERE relkind = 'r'")}
    days = {name[:15] for name in on_nodes if name.startswith("events_2")}
    assert partition_name(now.date() + timedelta(days=7)) in days
    assert partition_name(times[0].date()) not in days

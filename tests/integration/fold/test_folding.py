"""The fold: additions become rollups, each exactly once, whoever else is at work and whatever is in the way."""

import itertools
import threading
import time
from collections.abc import Callable
from functools import partial

import pytest

from app.core.database import Connection
from app.core.errors import DatabaseTooSlow
from app.core.queries.additions import fold_locked, select_projects_to_fold
from app.core.rollups.latency_histogram import COMPACT_ABOVE_BYTES
from tests.commands import Run, Succeed
from tests.drains import an_event, open_connection
from tests.folds import fold_all
from tests.recount import assert_rollups_equal_a_recount
from tests.usage_recount import new_project
from worker import fold as fold_module
from worker.fold import FOLD_AFTER, fold, fold_project
from worker.store import EventStore, ReceivedEvent

NOW_MS = int(time.time() * 1_000)


def store(connection: Connection, project_id: int, count: int, *, first: int = 0) -> None:
    """Events of some minutes and both sides of a midnight."""
    batch = [ReceivedEvent(an_event(project_id, first + seed), NOW_MS - seed * 1_700_000) for seed in range(count)]
    assert EventStore().store(connection, batch).new == count


def additions(connection: Connection) -> int:
    row = connection.execute("SELECT count(*) FROM rollup_additions").fetchone()
    assert row is not None
    return int(row[0])


def rolled_up(connection: Connection, project_id: int) -> int:
    """Events of the project that its rollups have by themselves."""
    sql = "SELECT coalesce(sum(events), 0) FROM rollups WHERE project_id = %s AND prompt_key = 0 AND grain = 'day'"
    row = connection.execute(sql, [project_id]).fetchone()
    assert row is not None
    return int(row[0])


def grow_old(connection: Connection) -> None:
    connection.execute("UPDATE rollup_additions SET added_at = added_at - %s", [FOLD_AFTER])


def fold_now(connection: Connection, *, clock: Callable[[], float] = time.monotonic) -> bool:
    return fold(connection, {}, clock=clock, should_stop=lambda: False)


def test_a_batch_only_appends_and_the_fold_brings_it_to_every_level(database, project_id):
    store(database, project_id, 60)
    assert rolled_up(database, project_id) == 0
    assert assert_rollups_equal_a_recount(database) == 60
    assert fold_project(database, project_id)
    assert (additions(database), rolled_up(database, project_id)) == (0, 60)
    assert assert_rollups_equal_a_recount(database) == 60
    store(database, project_id, 60, first=100)
    fold_all(database)
    assert assert_rollups_equal_a_recount(database) == 120


def test_only_what_is_old_or_much_is_folded(database, project_id):
    other = new_project(database)
    store(database, project_id, 5)
    assert fold_now(database)
    assert additions(database) > 0
    grow_old(database)
    store(database, other, 5)
    assert fold_now(database)
    assert (rolled_up(database, project_id), rolled_up(database, other)) == (5, 0)
    assert select_projects_to_fold(database, after=FOLD_AFTER, above_rows=3) == [other]


@pytest.mark.parametrize("limits", [{"max_rows": 7}, {"max_minutes": 7}, {"max_rows": 9, "max_minutes": 4}])
def test_a_large_rest_is_folded_in_parts(database, project_id, limits):
    store(database, project_id, 40)
    parts = 1
    while not fold_project(database, project_id, **limits):
        parts += 1
        assert assert_rollups_equal_a_recount(database) == 40
    assert parts > 5
    assert additions(database) == 0


def test_nothing_is_folded_twice_by_two_workers(database, database_url, project_id):
    store(database, project_id, 10)
    with open_connection(database_url) as other, fold_locked(other, project_id):
        assert fold_project(database, project_id)
        assert additions(database) > 0
    assert fold_project(database, project_id)
    assert rolled_up(database, project_id) == 10


def test_workers_that_store_and_fold_one_project_at_once_neither_wait_for_each_other_nor_miscount(
    database, database_url, project_id
):
    failures: list[BaseException] = []

    def work(number: int) -> None:
        try:
            with open_connection(database_url) as connection:
                connection.execute("SET lock_timeout = '5s'")
                for turn in range(12):
                    store(connection, project_id, 20, first=number * 10_000 + turn * 100)
                    fold_project(connection, project_id, max_minutes=30)
        except BaseException as error:
            failures.append(error)
            raise

    workers = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for worker in workers:
        worker.start()
    while any(worker.is_alive() for worker in workers):
        assert_rollups_equal_a_recount_of_one_moment(database_url)
    assert failures == []
    assert assert_rollups_equal_a_recount(database) == 4 * 12 * 20
    fold_all(database)
    assert assert_rollups_equal_a_recount(database) == 4 * 12 * 20


def assert_rollups_equal_a_recount_of_one_moment(database_url: str) -> None:
    with open_connection(database_url) as connection, connection.transaction():
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        assert_rollups_equal_a_recount(connection)


def test_a_fold_that_fails_in_the_middle_changes_nothing(database, project_id, monkeypatch):
    store(database, project_id, 10)

    def fails(*_: object) -> None:
        raise ZeroDivisionError

    with monkeypatch.context() as patch:
        patch.setattr(fold_module, "merge_rollups", fails)
        with pytest.raises(ZeroDivisionError):
            fold_project(database, project_id)
    assert rolled_up(database, project_id) == 0
    assert assert_rollups_equal_a_recount(database) == 10


def test_it_ends_when_its_time_is_up_and_when_it_is_told_to_and_says_so(database, project_id):
    store(database, project_id, 5)
    store(database, new_project(database), 5)
    grow_old(database)
    assert not fold(database, {}, clock=time.monotonic, should_stop=lambda: True)
    ticks = itertools.count(step=0.6)
    assert not fold_now(database, clock=lambda: next(ticks))
    assert assert_rollups_equal_a_recount(database) == 10
    assert additions(database) > 0
    assert fold_now(database)
    assert additions(database) == 0


def test_a_locked_row_puts_off_the_fold_of_its_project_alone_and_no_drain(
    database, database_url, project_id, caplog: pytest.LogCaptureFixture
):
    other = new_project(database)
    store(database, project_id, 5)
    fold_all(database)
    with open_connection(database_url) as session, session.transaction():
        session.execute("SELECT 1 FROM rollups WHERE project_id = %s FOR UPDATE", [project_id])
        store(database, project_id, 5, first=10)
        store(database, other, 5)
        grow_old(database)
        assert fold_now(database)
        assert rolled_up(database, other) == 5
    assert "not folded yet" in caplog.text
    assert assert_rollups_equal_a_recount(database) == 15
    assert fold_now(database)
    assert rolled_up(database, project_id) == 10


def test_where_postgresql_is_too_slow_for_much_less_is_folded_at_once(database, project_id, monkeypatch):
    store(database, project_id, 30)
    grow_old(database)
    tried: list[int] = []
    original = fold_project

    def slow(connection: Connection, project_id: int, *, max_minutes: int) -> bool:
        tried.append(max_minutes)
        if max_minutes > 20:
            raise DatabaseTooSlow("a statement ran into its timeout")
        return original(connection, project_id, max_minutes=max_minutes)

    monkeypatch.setattr(fold_module, "fold_project", slow)
    monkeypatch.setattr(fold_module, "FEW_MINUTES", 20)
    assert fold_now(database)
    assert tried == [fold_module.MAX_MINUTES, 20] * 2
    assert additions(database) == 0


def test_a_project_that_cannot_be_folded_in_time_keeps_no_other_from_it(database, project_id, monkeypatch):
    other = new_project(database)
    store(database, project_id, 5)
    store(database, other, 5)
    grow_old(database)
    times, original = [1_000.0], fold_project

    def slow_for_one(connection: Connection, folded_id: int, *, max_minutes: int) -> bool:
        if folded_id == project_id:
            times.append(times[-1] + 10)
            raise DatabaseTooSlow("a statement ran into its timeout")
        return original(connection, folded_id, max_minutes=max_minutes)

    monkeypatch.setattr(fold_module, "fold_project", slow_for_one)
    fold_then = partial(fold, database, {}, clock=lambda: times[-1], should_stop=lambda: False)
    assert not fold_then()
    assert fold_then()
    assert (rolled_up(database, other), len(times)) == (5, 3)
    times.append(times[-1] + fold_module.TRY_AGAIN_SECONDS)
    assert fold_then()
    assert len(times) == 6


def test_a_damaged_histogram_in_the_rollups_holds_up_no_fold_and_is_told_of_once(
    database, project_id, caplog: pytest.LogCaptureFixture
):
    store(database, project_id, 50)
    fold_all(database)
    database.execute(
        "UPDATE rollups SET latency_histogram = %s WHERE version_key = 0 AND grain = 'day'",
        [bytes(COMPACT_ABOVE_BYTES + 1)],
    )
    for _ in range(2):
        store(database, project_id, 50)
        fold_all(database)
    told = [record.__dict__ for record in caplog.records if "histogram is damaged" in record.message]
    assert len(told) == len({(each["prompt_key"], each["bucket_start"]) for each in told}) > 0
    assert {(each["project_id"], each["grain"]) for each in told} == {(project_id, "day")}
    assert rolled_up(database, project_id) == 150


def test_a_damaged_histogram_in_the_additions_stays_damaged_until_a_recount(
    database, run: Run, succeed: Succeed, caplog: pytest.LogCaptureFixture
):
    project_id = new_project(database)
    store(database, project_id, 50)
    database.execute("UPDATE rollup_additions SET latency_histogram = latency_histogram || 'x'")
    assert "damaged histograms" in run("ledger").stderr
    fold_all(database)
    assert "docs/runbook.md#rollups_wrong" in [getattr(record, "see", "") for record in caplog.records]
    assert (additions(database), rolled_up(database, project_id)) == (0, 50)
    assert "damaged histograms" in run("ledger").stderr
    assert "wrong were" in succeed("recount")
    assert assert_rollups_equal_a_recount(database) == 50

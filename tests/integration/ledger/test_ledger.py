"""`ledger`, `losses` and `recount`, as an operator uses them."""

import json
import threading
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import UUID

import pytest

from app.core.database import Connection
from app.core.queries.additions import append_additions
from app.core.queries.ledger import insert_acknowledgements
from app.core.queries.ledger_report import select_ledger
from app.core.queries.partitions import drop_partitions_before
from app.core.queries.recount import recount_day, recount_hour
from app.core.queries.rollups import create_incoming_rollups, merge_rollups
from app.core.rollups.grains import floor_to
from app.core.rollups.rollup import ByMinute, at_every_level
from app.core.stream.buffer import EventBuffer
from app.core.stream.events import Event, idempotency_mark, new_event_id
from app.core.stream.numbering import Numbering
from tests.commands import Run, Succeed
from tests.drains import an_event, open_connection, run_drain
from tests.folds import fold_all
from tests.recount import assert_rollups_equal_a_recount
from tests.stored_events import store_events
from worker.fold import fold_project
from worker.store import EventStore, ReceivedEvent

NOW = datetime.now(UTC)


def ledger_of(succeed: Succeed, *arguments: str) -> dict[str, int]:
    answer = json.loads(succeed("ledger", "--json", *arguments))
    assert answer["miscounted"] == []
    total: dict[str, int] = {}
    for hour in answer["hours"]:
        assert hour.pop("project") == "demo"
        assert hour.pop("hour")
        for name, events in hour.items():
            total[name] = total.get(name, 0) + events
    return total


def test_the_ledger_adds_up(database, client, buffer, numbering, succeed: Succeed):
    buffer.append(*[an_event(1, seed) for seed in range(4)])
    event = an_event(1)
    buffer.append(event, event)
    buffer.append(event._replace(event_id=new_event_id(), version_hash="v\0"))
    run_drain(database, client)
    keyed = Event(idempotency_mark(b"secret", 1, "k"), 1, UUID(int=1), "v1", Decimal(1))
    buffer.append(keyed, mark=b"k")
    buffer.append(keyed, mark=b"k")
    buffer.append(an_event(1, 10))
    numbering.flush()
    found = ledger_of(succeed)
    assert found == {
        "accepted": 9,
        "stored": 5,
        "repeated": 1,
        "set_aside": 1,
        "waiting": 2,
        "lost": 0,
        "untraced": 0,
        "replayed": 1,
        "unanswered": 0,
    }
    run_drain(database, client)
    assert ledger_of(succeed, "--project", "demo") == {**found, "stored": 7, "waiting": 0}


def test_events_of_a_process_that_wrote_nothing_down_are_not_counted_as_accepted(
    database, client, numbering, succeed: Succeed
):
    silent = Numbering(lambda _rows: None, delay_seconds=3_600)
    EventBuffer(client, numbering=silent).append(an_event(1))
    EventBuffer(client, numbering=numbering).append(an_event(1))
    numbering.flush()
    run_drain(database, client)
    found = ledger_of(succeed)
    assert (found["accepted"], found["stored"], found["unanswered"]) == (1, 1, 0)


@pytest.mark.usefixtures("database")
def test_a_loss_never_adds_up_even_when_it_was_noted(client, buffer, numbering, run: Run, succeed: Succeed):
    buffer.append(*[an_event(1, seed) for seed in range(4)])
    client.flushall()
    numbering.flush()
    finished = run("ledger")
    assert finished.exit_code == 1
    assert "4 events lost" in finished.stderr
    listed = succeed("losses", "list").splitlines()
    assert listed[1].split()[:2] == ["demo", "4"]
    assert succeed("losses", "note") == "noted: 1\n"
    assert run("ledger").exit_code == 1
    assert json.loads(succeed("status", "--json"))["lost_events"] == 4


def test_rollups_that_were_meddled_with_are_found_and_put_right(database, database_url, run: Run, succeed: Succeed):
    events = [
        ReceivedEvent(an_event(1, seed), int((NOW - timedelta(hours=seed)).timestamp() * 1e3)) for seed in range(40)
    ]
    store_events(database_url, events)
    fold_all(database)
    assert run("ledger").exit_code == 0
    database.execute("UPDATE rollups SET events = events + 1, latency_sum = 7 WHERE grain = 'hour' AND version_key = 0")
    database.execute("DELETE FROM rollups WHERE grain = 'day'")
    finished = run("ledger")
    assert finished.exit_code == 1
    assert "40 hours miscounted" in finished.stderr
    assert "wrong were" in succeed("recount", "--project", "demo")
    assert_rollups_equal_a_recount(database)
    assert "all were right" in succeed("recount")
    assert run("ledger").exit_code == 0


@pytest.mark.parametrize("grain", ["minute", "hour", "day"])
def test_a_damaged_histogram_is_found_and_put_right(database, database_url, run: Run, succeed: Succeed, grain: str):
    store_events(database_url, [ReceivedEvent(an_event(1, seed), int(NOW.timestamp() * 1e3)) for seed in range(40)])
    fold_all(database)
    database.execute(
        "UPDATE rollups SET latency_histogram = latency_histogram || 'x' WHERE grain = %s AND version_key = 0", [grain]
    )
    finished = run("ledger")
    assert finished.exit_code == 1
    assert f"demo, {grain} " in finished.stderr
    assert "damaged histograms" in finished.stderr
    assert "wrong were" in succeed("recount")
    assert_rollups_equal_a_recount(database)
    assert run("ledger").exit_code == 0


def append_or_merge(connection: Connection, by_minute: ByMinute) -> None:
    """The release before merged what a batch adds at once."""
    if threading.current_thread().name == "worker of the release before":
        create_incoming_rollups(connection)
        merge_rollups(connection, at_every_level(by_minute))
    else:
        append_additions(connection, by_minute)


def test_a_recount_beside_working_workers_loses_and_doubles_nothing(
    database, database_url, succeed: Succeed, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("worker.store.append_additions", append_or_merge)
    ended = threading.Event()

    def work(number: int) -> None:
        with open_connection(database_url) as connection:
            store = EventStore()
            for seed in range(10_000):
                batch = [
                    ReceivedEvent(an_event(1, number * 100_000 + seed * 10 + each), int(NOW.timestamp() * 1e3) - each)
                    for each in range(10)
                ]
                store.store(connection, batch)
                if seed % 5 == 0 and number < 2:
                    fold_project(connection, 1)
                if ended.is_set():
                    return

    names = ("worker A", "worker B", "worker of the release before")
    workers = [threading.Thread(target=work, args=(number,), name=name) for number, name in enumerate(names)]
    for worker in workers:
        worker.start()
    try:
        for _ in range(5):
            succeed("recount")
    finally:
        ended.set()
        for worker in workers:
            worker.join()
    assert assert_rollups_equal_a_recount(database) > 100


def test_minutes_past_their_time_are_not_made_again(database, database_url):
    store_events(database_url, [ReceivedEvent(an_event(1), int((NOW - timedelta(days=10)).timestamp() * 1e3))])
    fold_all(database)
    database.execute("DELETE FROM rollups WHERE grain = 'minute'")
    assert not recount_hour(database, 1, floor_to("hour", NOW - timedelta(days=10)), minutes=False)
    assert database.execute("SELECT count(*) FROM rollups WHERE grain = 'minute'").fetchone() == (0,)


def test_what_is_acknowledged_after_the_end_of_its_hour_counts_once(database, client):
    now = floor_to("hour", NOW).timestamp() - 0.5
    numbering = Numbering(lambda rows: insert_acknowledgements(database, rows), clock=lambda: now, delay_seconds=3_600)
    buffer = EventBuffer(client, numbering=numbering)
    buffer.append(an_event(1))
    early = numbering.take(1, 1)
    numbering.flush()
    now += 1
    numbering.acknowledge(1, early)
    numbering.flush()
    assert [row.accepted for row in select_ledger(database, since=NOW - timedelta(hours=3))] == [2]


def test_days_whose_raw_events_are_gone_are_neither_compared_nor_recounted(database, database_url, succeed: Succeed):
    day = (NOW - timedelta(days=3)).date()
    store_events(database_url, [ReceivedEvent(an_event(1), int((NOW - timedelta(days=3)).timestamp() * 1_000))])
    fold_all(database)
    drop_partitions_before(database, day + timedelta(days=1))
    assert json.loads(succeed("ledger", "--json", "--hours", "100"))["miscounted"] == []
    hour = floor_to("hour", NOW - timedelta(days=3))
    assert not recount_hour(database, 1, hour, minutes=True)
    assert not recount_day(database, 1, floor_to("day", hour))
    assert database.execute("SELECT count(*) FROM rollups WHERE version_key = 0").fetchone() == (6,)

"""Draining the buffer into PostgreSQL: what is stored, and how it is counted."""

import random
import threading
from collections.abc import Sequence
from decimal import Decimal

from app.core.database import Connection
from app.core.queries.events import insert_new_events
from app.core.rollups.event_row import EventRow
from app.core.stream.buffer import EventBuffer
from app.core.stream.events import Event, encode_event, new_event_id
from app.core.stream.state import GROUP, STREAM
from tests.drains import PROMPTS, an_event, append_many, drain_into, run_drain
from tests.folds import fold_all
from tests.recount import assert_rollups_equal_a_recount
from worker.drain import BATCH_SIZE, LINGER_SECONDS
from worker.store import STAGED_BATCHES, EventStore, ReceivedEvent, StoreReport


def test_it_stores_buffered_events_with_their_rollups_and_forgets_the_entries(database, client, project_id):
    append_many(client, [an_event(project_id, seed) for seed in range(200)])
    report = run_drain(database, client)
    assert (report.stored, report.repeated, report.set_aside, report.emptied) == (200, 0, 0, True)
    assert assert_rollups_equal_a_recount(database) == 200
    assert client.xlen(STREAM) == 0
    assert client.xpending(STREAM, GROUP)["pending"] == 0


def test_rollups_stay_exact_over_many_batches_folds_and_compactions(database, client, project_id):
    store = EventStore()
    wide = random.Random(7)
    for _ in range(6):
        received = [
            ReceivedEvent(
                Event(new_event_id(), project_id, PROMPTS[0], "v", Decimal(f"{10 ** wide.uniform(-3, 9):.6f}")),
                1_790_000_000_000 + wide.randrange(3_600_000),
            )
            for _ in range(400)
        ]
        store.store(database, received)
        fold_all(database)
    assert assert_rollups_equal_a_recount(database) == 2_400


def test_an_event_that_comes_twice_is_stored_and_counted_once(database, client, project_id):
    event = an_event(project_id)
    append_many(client, [event, event, an_event(project_id, 1)])
    assert run_drain(database, client).stored == 2
    append_many(client, [event])
    report = run_drain(database, client)
    assert (report.stored, report.repeated) == (0, 1)
    assert assert_rollups_equal_a_recount(database) == 2


def test_events_keep_every_digit_of_their_numbers(database, client, project_id):
    cost = "0.1234567890123456789012345678901234567890"
    append_many(
        client, [Event(new_event_id(), project_id, PROMPTS[0], "v", Decimal(0), Decimal(cost), Decimal("-0.5"))]
    )
    run_drain(database, client)
    rows = database.execute("SELECT latency_ms::text, cost_usd::text, score::text FROM events").fetchall()
    assert rows == [("0", cost, "-0.5")]


def test_received_at_is_the_time_of_the_entry(database, client, project_id):
    client.xadd(STREAM, {"e": encode_event(an_event(project_id))}, id="1790000000123-0")
    run_drain(database, client)
    rows = database.execute("SELECT received_at, occurred_at, day::text FROM events").fetchall()
    assert rows[0][0].isoformat() == "2026-09-21T14:13:20.123000+00:00"
    assert rows[0][1] == rows[0][0]
    assert rows[0][2] == "2026-09-21"


def test_a_batch_that_is_not_full_lets_the_next_one_gather(client):
    append_many(client, [an_event(1, seed % 7) for seed in range(BATCH_SIZE + 1)])
    pauses: list[float] = []
    drain_into(client, lambda batch: StoreReport(len(batch), []), pause=pauses.append)
    assert pauses == [LINGER_SECONDS]


def test_an_event_that_comes_while_a_drain_waits_is_stored_by_it(database, client, project_id):
    buffer, store = EventBuffer(client), EventStore()
    timer = threading.Timer(0.3, lambda: buffer.append(an_event(project_id)))
    timer.start()
    report = drain_into(client, lambda batch: store.store(database, batch), wait_ms=2_000)
    timer.join()
    assert (report.stored, report.emptied) == (1, True)


def test_a_replayed_entry_keeps_the_time_of_its_first_arrival(database, client, project_id):
    event = an_event(project_id)
    EventBuffer(client).append_again(encode_event(event), 1_790_000_000_123, first_id="1-1", project_id=None)
    EventBuffer(client).append_again(encode_event(event), 1_790_000_000_123, first_id="1-1", project_id=None)
    assert run_drain(database, client).stored == 1
    rows = database.execute("SELECT occurred_at, day::text FROM events").fetchall()
    assert rows[0][0].isoformat() == "2026-09-21T14:13:20.123000+00:00"
    assert rows[0][1] == "2026-09-21"


def test_after_an_event_that_was_stored_before_no_copy_is_tried_for_a_while(database, client, project_id, monkeypatch):
    tried: list[int] = []

    def insert(connection: Connection, rows: Sequence[EventRow]) -> bool:
        tried.append(len(rows))
        return insert_new_events(connection, rows)

    monkeypatch.setattr("worker.store.insert_new_events", insert)
    store, event = EventStore(), ReceivedEvent(an_event(project_id), 1_790_000_000_000)
    fresh = [ReceivedEvent(an_event(project_id, seed), 1_790_000_000_000) for seed in range(2 * STAGED_BATCHES)]
    assert store.store(database, [event]).new == 1
    assert store.store(database, [event, fresh.pop()]).new == 1
    for _ in range(STAGED_BATCHES):
        assert store.store(database, [fresh.pop()]).new == 1
    assert tried == [1, 2]
    assert store.store(database, [fresh.pop()]).new == 1
    assert tried == [1, 2, 1]
    assert assert_rollups_equal_a_recount(database) == 3 + STAGED_BATCHES

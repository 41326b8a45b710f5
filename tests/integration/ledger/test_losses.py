"""The loss detector: what was acknowledged and is nowhere is named, exactly, and nothing else ever is."""

import random
from collections.abc import Callable
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from app.core.database import Connection
from app.core.errors import RedisFull
from app.core.queries.dead_letters import select_dead_letter_ids
from app.core.queries.losses import note_losses, select_loss
from app.core.stream.appending import Outcome
from app.core.stream.buffer import EventBuffer
from app.core.stream.dead_letters import put_back, take_out
from app.core.stream.events import Event, idempotency_mark, new_event_id
from app.core.stream.losses import look_for_losses
from app.core.stream.state import STREAM
from tests.drains import open_connection, run_drain


def an_event(key: str | None = None, latency_ms: int = 5) -> Event:
    event_id = new_event_id() if key is None else idempotency_mark(b"secret", 1, key)
    return Event(event_id, 1, UUID(int=1), "v1", Decimal(latency_ms))


def lost(database: Connection) -> int:
    return select_loss(database).events


def test_nothing_is_missing_while_events_wait_and_after_they_were_stored(database, client, buffer, numbering):
    for _ in range(3):
        buffer.append(*[an_event() for _ in range(7)])
    numbering.flush()
    assert look_for_losses(database, client) == 0
    run_drain(database, client)
    assert look_for_losses(database, client) == 0
    assert lost(database) == 0
    assert database.execute("SELECT count(*) FROM acknowledgements").fetchone() == (0,)
    assert database.execute("SELECT stored::text, acknowledged::text FROM series").fetchall() == [
        ("{[1,22)}", "{[1,22)}")
    ]


def test_events_that_redis_forgot_are_counted_exactly(database, client, buffer, numbering):
    buffer.append(*[an_event() for _ in range(10)])
    run_drain(database, client)
    buffer.append(*[an_event() for _ in range(4)])
    client.flushall()
    buffer.append(*[an_event() for _ in range(3)])
    numbering.flush()
    assert look_for_losses(database, client) == 4
    assert lost(database) == 4
    run_drain(database, client)
    assert look_for_losses(database, client) == 0
    loss = select_loss(database)
    assert loss.events == 4
    assert loss.first_at is not None
    assert loss.last_at is not None
    assert loss.first_at <= loss.last_at


def test_entries_that_somebody_deletes_are_missed(database, client, buffer, numbering):
    buffer.append(*[an_event() for _ in range(10)])
    entry_ids: list[Any] = [entry_id for entry_id, _ in client.xrange(STREAM)]
    client.xdel(STREAM, *entry_ids[3:5])
    numbering.flush()
    assert look_for_losses(database, client) == 2
    run_drain(database, client)
    look_for_losses(database, client)
    assert lost(database) == 2


def test_repeats_refusals_and_reused_keys_are_no_losses(database, client, numbering):
    buffer, full = EventBuffer(client, numbering=numbering), EventBuffer(client, numbering=numbering, max_events=1)
    buffer.append(an_event("k"), mark=b"k")
    buffer.append(an_event("k"), mark=b"k")
    buffer.append(an_event("k", latency_ms=6), mark=b"k")
    assert full.append(an_event()).outcome is Outcome.BUFFER_FULL
    buffer.append(an_event())
    client.config_set("maxmemory", "1")
    with pytest.raises(RedisFull):
        buffer.append(an_event())
    client.config_set("maxmemory", "0")
    numbering.flush()
    run_drain(database, client)
    assert look_for_losses(database, client) == 0
    assert database.execute("SELECT acknowledged::text, stored::text, replayed FROM series").fetchall() == [
        ("{[1,3)}", "{[1,3)}", 1)
    ]


def test_an_event_that_is_stored_twice_or_set_aside_is_no_loss(database, client, buffer, numbering):
    event = an_event()
    buffer.append(event)
    buffer.append(event)
    buffer.append(event._replace(latency_ms=Decimal(9)))
    buffer.append(event._replace(project_id=1, version_hash="v\0", event_id=new_event_id()))
    numbering.flush()
    run_drain(database, client)
    assert look_for_losses(database, client) == 0
    rows = database.execute("SELECT stored::text, repeated::text, set_aside::text FROM series").fetchall()
    assert rows == [("{[1,2)}", "{[2,3)}", "{[3,5)}")]


def test_what_was_thought_lost_and_comes_after_all_is_a_loss_no_more(database, client, buffer, numbering):
    buffer.append(*[an_event() for _ in range(5)])
    entries: Any = client.xrange(STREAM)
    client.flushall()
    numbering.flush()
    assert look_for_losses(database, client) == 5
    for entry_id, fields in entries[:2]:
        client.xadd(STREAM, fields, id=entry_id)
    run_drain(database, client)
    look_for_losses(database, client)
    assert lost(database) == 3
    assert database.execute("SELECT acknowledged = stored FROM series").fetchall() == [(True,)]


def test_one_who_took_note_of_a_loss_is_not_told_again(database, client, buffer, numbering):
    buffer.append(an_event())
    client.flushall()
    numbering.flush()
    look_for_losses(database, client)
    assert note_losses(database) == 1
    assert select_loss(database, only_unnoted=True).events == 0
    assert lost(database) == 1


def test_one_worker_at_a_time_looks(database, database_url, client):
    with open_connection(database_url) as other, other.transaction():
        assert other.execute("SELECT pg_try_advisory_xact_lock(%s)", [0x70615F6C]).fetchone() == (True,)
        assert look_for_losses(database, client) is None


@pytest.mark.parametrize("seed", range(4))
def test_any_order_of_what_can_happen_leaves_the_count_exact(database, client, buffer, numbering, seed):
    chance = random.Random(seed)
    missing = 0

    def append() -> None:
        buffer.append(*[an_event() for _ in range(chance.randrange(1, 5))])

    def forget() -> int:
        depth = int(client.xlen(STREAM))
        client.flushall()
        return depth

    steps: list[Callable[[], object]] = [
        append,
        append,
        numbering.flush,
        lambda: run_drain(database, client),
        lambda: look_for_losses(database, client),
    ]
    for _ in range(60):
        if chance.random() < 0.1:
            missing += forget()
        else:
            chance.choice(steps)()
        assert lost(database) <= missing
    numbering.flush()
    run_drain(database, client)
    look_for_losses(database, client)
    assert lost(database) == missing


def test_a_replayed_dead_letter_that_gets_lost_is_missed(database, client, buffer, numbering):
    buffer.append(an_event()._replace(project_id=77))
    run_drain(database, client)
    database.execute("INSERT INTO projects (id, name) OVERRIDING SYSTEM VALUE VALUES (77, 'late')")
    assert len(take_out(database, select_dead_letter_ids(database), put_back(buffer))) == 1
    client.flushall()
    numbering.flush()
    assert look_for_losses(database, client) == 1

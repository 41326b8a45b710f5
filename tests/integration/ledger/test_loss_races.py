"""The loss detector where clocks turn, answers get lost, strangers write into the stream, and servers fail."""

from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from app.core.database import Connection, open_pool
from app.core.queries.ledger import insert_acknowledgements
from app.core.queries.losses import select_loss
from app.core.stream.buffer import EventBuffer
from app.core.stream.events import Event, encode_event, idempotency_mark, new_event_id
from app.core.stream.losses import look_for_losses
from app.core.stream.numbering import Numbering, label_of
from app.core.stream.state import GROUP, STREAM
from tests.drains import run_drain
from worker.runner import Runner


def an_event(key: str | None = None, latency_ms: int = 5) -> Event:
    event_id = new_event_id() if key is None else idempotency_mark(b"secret", 1, key)
    return Event(event_id, 1, UUID(int=1), "v1", Decimal(latency_ms))


def lost(database: Connection) -> int:
    return select_loss(database).events


def test_acknowledgements_around_the_turn_of_an_hour_keep_the_look_working(database, client):
    now = [1_800_003_599.5]
    numbering = Numbering(
        lambda rows: insert_acknowledgements(database, rows), clock=lambda: now[0], delay_seconds=3_600
    )
    buffer = EventBuffer(client, numbering=numbering)
    buffer.append(an_event())
    run_drain(database, client)
    early = numbering.take(1, 1)
    client.xadd(STREAM, {"e": encode_event(an_event()), "n": label_of(early.series, early.first)})
    now[0] += 1
    numbering.acknowledge(1, early)
    buffer.append(an_event())
    numbering.flush()
    run_drain(database, client)
    assert look_for_losses(database, client) == 0
    assert database.execute("SELECT count(*) FROM acknowledgements").fetchone() == (0,)
    hours = database.execute("SELECT extract(epoch FROM hour)::bigint, acknowledged::text FROM series ORDER BY hour")
    assert hours.fetchall() == [(1_800_000_000, "{[1,3)}"), (1_800_003_600, "{[1,2)}")]


def test_an_acknowledgement_that_is_written_twice_is_lost_once(database, client, buffer, numbering):
    written: list[Any] = []
    numbering._write = written.extend
    buffer.append(*[an_event() for _ in range(4)])
    numbering.flush()
    client.flushall()
    insert_acknowledgements(database, written)
    insert_acknowledgements(database, written)
    assert look_for_losses(database, client) == 4
    insert_acknowledgements(database, written)
    assert look_for_losses(database, client) == 0
    assert lost(database) == 4
    assert database.execute("SELECT count(*) FROM acknowledgements").fetchone() == (0,)


@pytest.mark.parametrize("label", [b"\x00:1", b"x", b"x:" + b"9" * 40])
def test_a_label_that_a_stranger_wrote_stalls_nothing(database, client, buffer, numbering, label):
    client.xgroup_create(STREAM, GROUP, id="0", mkstream=True)
    client.xadd(STREAM, {"e": b"poison", "n": label})
    client.xadd(STREAM, {"e": encode_event(an_event()), "n": label})
    buffer.append(an_event())
    numbering.flush()
    report = run_drain(database, client)
    assert (report.stored, report.set_aside) == (2, 1)
    assert look_for_losses(database, client) == 0


def test_a_worker_that_cannot_drain_tells_nothing_of_losses(database, database_url, client, buffer, numbering):
    buffer.append(an_event())
    numbering.flush()
    client.flushall()
    pool = open_pool(database_url, application_name="pa-worker", size=1)
    runner = Runner(EventBuffer(client), client, pool, consumer="w", retention_days=90)
    client.replicaof("127.0.0.1", "1")
    try:
        runner.tick()
        assert lost(database) == 0
    finally:
        client.replicaof("NO", "ONE")
    runner.tick()
    assert lost(database) == 1
    pool.close()

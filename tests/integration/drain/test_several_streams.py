"""A drain of several streams: one event is stored once, and entries with the same id are two."""

import time

import pytest

from app.core.errors import RedisUnavailable
from app.core.queries.dead_letters import select_dead_letter_ids
from app.core.stream.appending import Outcome
from app.core.stream.buffer import EventBuffer
from app.core.stream.dead_letters import put_back, take_out
from app.core.stream.events import encode_event, idempotency_mark, idempotent_event_id
from app.core.stream.state import state_of
from app.core.stream.streams import key_of
from tests.drains import an_event, drain_into, run_drain
from worker.store import StoreReport

HOUR_MS = 3_600_000


def stored(database) -> int:
    return int(database.execute("SELECT count(*) FROM events").fetchone()[0])


def test_a_repeat_that_does_not_find_its_mark_any_more_is_stored_once(database, client, project_id):
    now_ms = time.time_ns() // 1_000_000
    for number in range(20):
        mark = idempotency_mark(b"secret", project_id, f"{number}")
        event = an_event(project_id, number)._replace(event_id=idempotent_event_id(mark, now_ms - HOUR_MS))
        again = event._replace(event_id=idempotent_event_id(mark, now_ms))
        assert EventBuffer(client).append(event, mark=mark).outcome is Outcome.STORED
        for streams in (3, 5, 2):
            EventBuffer(client, streams=streams).append(again, mark=mark)
    assert state_of(client).depth > 20
    run_drain(database, client)
    assert (stored(database), state_of(client).depth) == (20, 0)


def test_two_entries_with_one_id_are_two_dead_letters_and_can_both_be_replayed(database, client):
    for stream in (0, 1, 2):
        client.xadd(key_of(client, stream), {"e": "garbage"}, id="1000-1")
    run_drain(database, client)
    kept = {entry_id for (entry_id,) in database.execute("SELECT entry_id FROM dead_letters")}
    assert kept == {"1000-1", "1000-1@1", "1000-1@2"}
    buffer = EventBuffer(client, streams=3)
    assert len(take_out(database, select_dead_letter_ids(database), put_back(buffer))) == 3
    run_drain(database, client)
    assert {entry_id for (entry_id,) in database.execute("SELECT entry_id FROM dead_letters")} == kept


def test_a_stream_that_is_lost_in_a_batch_leaves_nothing_stored_in_the_others(client):
    with client.pipeline(transaction=False) as pipeline:
        for _ in range(1_500):
            for stream in (0, 1):
                pipeline.xadd(key_of(client, stream), {"e": encode_event(an_event(1))})
        pipeline.execute()

    def store(batch):
        client.set(key_of(client, 1), "lost")
        return StoreReport(len(batch), [])

    with pytest.raises(RedisUnavailable):
        drain_into(client, store)
    assert client.xlen(key_of(client, 0)) == 0

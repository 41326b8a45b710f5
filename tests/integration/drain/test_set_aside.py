"""What the drain sets aside, and what never counts against an entry."""

from collections.abc import Sequence
from decimal import Decimal

import orjson
import pytest

from app.core.errors import DatabaseUnavailable
from app.core.stream.events import encode_event
from app.core.stream.state import GROUP, STREAM
from tests.drains import an_event, append_many, drain_into, drain_with, run_drain
from tests.recount import assert_rollups_equal_a_recount
from worker.store import EventStore, ReceivedEvent, StoreReport

SLOW_BY_ROWS = """
CREATE FUNCTION wait_by_rows() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN PERFORM pg_sleep(0.015); RETURN NULL; END
$$;
CREATE TRIGGER slow AFTER INSERT ON events FOR EACH ROW EXECUTE FUNCTION wait_by_rows()
"""


@pytest.mark.parametrize("payload", [b"", b"garbage", b"\x00\xff", b'[99, "of a later release"]'])
def test_an_entry_that_cannot_be_decoded_becomes_a_dead_letter_and_the_rest_is_stored(
    database, client, project_id, payload
):
    append_many(client, [an_event(project_id)])
    entry_id = client.xadd(STREAM, {"e": payload})
    append_many(client, [an_event(project_id, 1)])
    report = run_drain(database, client)
    assert (report.stored, report.set_aside) == (2, 1)
    rows = database.execute("SELECT entry_id, payload, reason, received_at FROM dead_letters").fetchall()
    assert [row[:2] for row in rows] == [(entry_id.decode(), payload)]
    assert rows[0][2]
    assert int(rows[0][3].timestamp() * 1000) == int(entry_id.split(b"-")[0])
    assert client.xlen(STREAM) == 0


def poisoned(project_id: int) -> bytes:
    """An entry that decodes well and that PostgreSQL refuses: text cannot hold NUL."""
    fields = orjson.loads(encode_event(an_event(project_id)))
    fields[4] = "v\x00"
    return orjson.dumps(fields)


def test_entries_that_postgresql_refuses_are_found_one_by_one(database, client, project_id):
    for position in range(100):
        bad = position in (0, 41, 42, 99)
        client.xadd(STREAM, {"e": poisoned(project_id) if bad else encode_event(an_event(project_id, position))})
    report = run_drain(database, client)
    assert (report.stored, report.set_aside) == (96, 4)
    assert assert_rollups_equal_a_recount(database) == 96
    assert database.execute("SELECT count(*) FROM dead_letters").fetchone() == (4,)


def test_an_event_of_a_project_that_does_not_exist_is_set_aside(database, client, project_id):
    append_many(client, [an_event(project_id), an_event(project_id + 1_000)])
    report = run_drain(database, client)
    assert (report.stored, report.set_aside) == (1, 1)


def test_an_entry_with_an_impossible_time_is_set_aside(database, client, project_id):
    client.xadd(STREAM, {"e": encode_event(an_event(project_id))}, id="18446744073709551614-1")
    assert run_drain(database, client).set_aside == 1
    assert client.xlen(STREAM) == 0


def test_a_lost_database_never_counts_against_an_entry(database, client, project_id):
    append_many(client, [an_event(project_id, seed) for seed in range(3)])
    attempts = []

    def lost(batch: Sequence[ReceivedEvent]) -> StoreReport:
        attempts.append(len(batch))
        raise DatabaseUnavailable("connection lost")

    with pytest.raises(DatabaseUnavailable):
        drain_with(client, lost)
    assert attempts == [3]
    assert client.xpending(STREAM, GROUP)["pending"] == 3
    assert database.execute("SELECT count(*) FROM dead_letters").fetchone() == (0,)


def test_a_batch_for_which_postgresql_is_too_slow_is_stored_by_halves(database, client, project_id):
    append_many(client, [an_event(project_id, seed) for seed in range(100)])
    database.execute(SLOW_BY_ROWS)
    database.execute("SET statement_timeout = '1s'")
    try:
        report = run_drain(database, client)
    finally:
        database.execute("DROP FUNCTION wait_by_rows CASCADE")
        database.execute("SET statement_timeout = '20s'")
    assert (report.stored, report.set_aside, report.batches, report.emptied) == (100, 0, 1, True)
    assert assert_rollups_equal_a_recount(database) == 100


def test_the_same_event_id_with_other_content_is_set_aside_and_the_first_stays(database, client, project_id):
    first = an_event(project_id)._replace(latency_ms=Decimal(1))
    second = first._replace(latency_ms=Decimal(2))
    append_many(client, [first])
    run_drain(database, client)
    append_many(client, [second])
    report = run_drain(database, client)
    assert (report.stored, report.repeated, report.set_aside) == (0, 0, 1)
    assert database.execute("SELECT latency_ms FROM events").fetchall() == [(1,)]
    assert database.execute("SELECT reason FROM dead_letters").fetchall() == [
        ("the Idempotency-Key was used before for an event with another body",)
    ]
    assert assert_rollups_equal_a_recount(database) == 1


def test_the_same_event_id_with_other_content_in_one_batch_is_set_aside_too(database, client, project_id):
    first = an_event(project_id)._replace(latency_ms=Decimal(1))
    append_many(client, [first, first._replace(latency_ms=Decimal(2)), first])
    report = run_drain(database, client)
    assert (report.stored, report.repeated, report.set_aside) == (1, 1, 1)
    assert database.execute("SELECT latency_ms FROM events").fetchall() == [(1,)]


def test_an_unforeseen_error_sets_one_entry_aside_and_not_the_others(database, client, project_id):
    events = [an_event(project_id, seed) for seed in range(9)]
    append_many(client, events)
    store, letters = EventStore(), []

    def fails_for_one(batch: Sequence[ReceivedEvent]) -> StoreReport:
        if any(received.event == events[4] for received in batch):
            raise ZeroDivisionError
        return store.store(database, batch)

    report = drain_into(client, fails_for_one, set_aside=lambda entry, reason: letters.append((entry.payload, reason)))
    assert (report.stored, report.set_aside) == (8, 1)
    assert letters == [(encode_event(events[4]), "unforeseen ZeroDivisionError")]

"""Events that say when they occurred: the day they belong to, their rollups, and what finds them stored."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import UUID

import pytest

from app.core.database import Connection, connect
from app.core.errors import UndecodableEntry
from app.core.stream.entries import Entry
from app.core.stream.events import LAST_STORABLE_MS, Event, encode_event, idempotency_mark, new_event_id
from tests.folds import fold_all
from tests.recount import assert_rollups_equal_a_recount
from tests.usage_recount import new_project
from worker.store import EventStore, ReceivedEvent, decode_entry

MIDNIGHT_MS = int(datetime(2026, 3, 8, tzinfo=UTC).timestamp() * 1_000)
DAY_MS = 86_400_000
# As the release before this one wrote it.
ENTRY_OF_VERSION_1 = (
    b'[1,"0192f8a06cfc7000800000000000000a",7,"123e4567e89b12d3a456426614174000","v1","812.4",null,"0.87"]'
)


@pytest.fixture
def database(database_url: str, clean_database: None) -> Iterator[Connection]:
    with connect(database_url, application_name="test", statement_timeout_ms=20_000) as connection:
        yield connection


@pytest.fixture
def project_id(database: Connection) -> int:
    return new_project(database)


def an_event(project_id: int, occurred_at_ms: int | None = None, latency_ms: int = 5) -> Event:
    return Event(new_event_id(), project_id, UUID(int=1), "v", Decimal(latency_ms), occurred_at_ms=occurred_at_ms)


def stored_times(database: Connection) -> list[tuple[str, datetime, datetime]]:
    return database.execute(
        "SELECT day::text, occurred_at, received_at FROM events ORDER BY occurred_at, received_at"
    ).fetchall()


def moment(milliseconds: int) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=milliseconds)


def test_an_event_belongs_to_the_day_on_which_it_occurred(database, project_id):
    received_at_ms = MIDNIGHT_MS + 500
    batch = [
        ReceivedEvent(an_event(project_id, occurred_at_ms), received_at_ms)
        for occurred_at_ms in (MIDNIGHT_MS - 1, MIDNIGHT_MS, None)
    ]
    assert EventStore().store(database, batch).new == 3
    received_at = moment(received_at_ms)
    assert stored_times(database) == [
        ("2026-03-07", moment(MIDNIGHT_MS - 1), received_at),
        ("2026-03-08", moment(MIDNIGHT_MS), received_at),
        ("2026-03-08", received_at, received_at),
    ]
    fold_all(database)
    days = database.execute(
        "SELECT bucket_start, events FROM rollups WHERE grain = 'day' AND prompt_key = 0 ORDER BY bucket_start"
    ).fetchall()
    assert days == [(moment(MIDNIGHT_MS - DAY_MS), 1), (moment(MIDNIGHT_MS), 2)]
    assert_rollups_equal_a_recount(database)


def test_rollups_of_a_backfill_equal_a_recount(database, project_id):
    store = EventStore()
    for part in range(3):
        batch = [
            ReceivedEvent(
                an_event(project_id, MIDNIGHT_MS - number * 7_919_000 if number % 4 else None, number),
                MIDNIGHT_MS + part * 20_000 + number,
            )
            for number in range(part * 120, part * 120 + 200)
        ]
        store.store(database, batch)
    assert assert_rollups_equal_a_recount(database) == 600


def test_a_retry_after_midnight_is_found_stored_where_the_event_says_when_it_occurred(database, project_id):
    event_id = idempotency_mark(b"secret", project_id, "k")
    event = an_event(project_id, MIDNIGHT_MS - 1)._replace(event_id=event_id)
    assert EventStore().store(database, [ReceivedEvent(event, MIDNIGHT_MS - 1)]).new == 1
    assert EventStore().store(database, [ReceivedEvent(event, MIDNIGHT_MS + DAY_MS)]) == (0, [])
    assert assert_rollups_equal_a_recount(database) == 1


def test_an_entry_of_the_release_before_occurred_when_it_was_received():
    received = decode_entry(Entry("1790000000123-0", ENTRY_OF_VERSION_1, 1_790_000_000_123))
    assert received.event == Event(
        bytes.fromhex("0192f8a06cfc7000800000000000000a"),
        7,
        UUID("123e4567e89b12d3a456426614174000"),
        "v1",
        Decimal("812.4"),
        None,
        Decimal("0.87"),
    )
    assert received.occurred_at_ms == 1_790_000_000_123


@pytest.mark.parametrize("occurred_at_ms", [0, LAST_STORABLE_MS])
def test_the_first_and_the_last_time_that_are_decoded_can_be_stored(database, project_id, occurred_at_ms):
    entry = Entry("1-0", encode_event(an_event(project_id, occurred_at_ms)), LAST_STORABLE_MS)
    EventStore().store(database, [decode_entry(entry)])
    assert stored_times(database)[0][1] == moment(occurred_at_ms)


def test_an_entry_whose_time_cannot_be_stored_is_set_aside():
    with pytest.raises(UndecodableEntry):
        decode_entry(Entry("1-0", encode_event(an_event(1, LAST_STORABLE_MS + 1)), 1))

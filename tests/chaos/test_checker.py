"""The checker of `make chaos`: it is content with what is right, and finds each way in which the law can be broken."""

import json
import sys
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from uuid import UUID

import pytest

from app.core.database import Connection, connect
from app.core.queries.dead_letters import insert_dead_letter
from app.core.queries.projects import insert_project
from app.core.stream.events import Event, encode_event, new_event_id
from app.local.children import REPOSITORY
from chaos.check import check
from chaos.events import event_json, last_midnight
from chaos.ledger import Ledger
from tests.folds import fold_all
from worker.store import EventStore, ReceivedEvent

STORED = 60
NOW = last_midnight()


@pytest.fixture
def connection(database_url: str, clean_database: None) -> Iterator[Connection]:
    with connect(database_url, application_name="test", statement_timeout_ms=30_000) as connection:
        yield connection


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with Ledger(tmp_path / "client.ledger") as ledger:
        yield ledger


@pytest.fixture
def sound(connection: Connection, ledger: Ledger) -> list[Event]:
    """Acknowledged and stored, as it should be: in two batches, one of them folded; the other comes again."""
    project_id = insert_project(connection, "demo")
    events = [event_of(number, project_id) for number in range(1, STORED + 1)]
    store = EventStore()
    for batch in (events[:40], events[40:], events[40:]):
        store.store(connection, [ReceivedEvent(event, int(NOW.timestamp()) * 1_000) for event in batch])
        if batch[0] is events[0]:
            fold_all(connection)
    ledger.intend(1, STORED)
    ledger.acknowledged(1, STORED)
    return events


def event_of(number: int, project_id: int) -> Event:
    told = json.loads(event_json(number, NOW), parse_float=Decimal, parse_int=Decimal)
    numbers = {name: told.get(name) for name in ("latency_ms", "cost_usd", "score")}
    return Event(new_event_id(), project_id, UUID(told["prompt_id"]), told["version_hash"], **numbers)


def broken(tmp_path: Path, database_url: str, *, buffered: int = 0, known_lost: int = 0) -> set[str]:
    return set(check(tmp_path, database_url, buffered=buffered, known_lost=known_lost)[1])


@pytest.mark.usefixtures("sound")
class TestASoundRun:
    def test_the_law_holds(self, tmp_path: Path, database_url: str):
        figures, faults = check(tmp_path, database_url, buffered=0, known_lost=0)
        assert faults == []
        assert (figures["acked"], figures["stored"], figures["accepted"]) == (STORED, STORED, STORED)

    def test_a_repeat_that_was_recognised_is_counted_once(self, tmp_path: Path, database_url: str, ledger: Ledger):
        ledger.intend(3, 1)
        ledger.acknowledged(3, 1, repeated=True)
        figures, faults = check(tmp_path, database_url, buffered=0, known_lost=0)
        assert faults == []
        assert (figures["deduplicated"], figures["accepted"]) == (1, STORED + 1)

    def test_an_event_of_unknown_outcome_may_be_missing(self, tmp_path: Path, database_url: str, ledger: Ledger):
        for number in (101, 102, 103):
            ledger.intend(number, 1)
        ledger.unknown(103, 1, 503)
        figures, faults = check(tmp_path, database_url, buffered=0, known_lost=0)
        assert faults == []
        assert (figures["unknown"], figures["unknown and stored"]) == (3, 0)

    def test_an_acknowledged_event_may_be_set_aside(
        self, connection: Connection, tmp_path: Path, database_url: str, ledger: Ledger
    ):
        ledger.intend(101, 1)
        ledger.acknowledged(101, 1)
        insert_dead_letter(connection, "1-1", encode_event(event_of(101, 1)), "reason", NOW)
        assert broken(tmp_path, database_url) == set()

    def test_planted_entries_are_set_aside(
        self, connection: Connection, tmp_path: Path, database_url: str, ledger: Ledger
    ):
        ledger.planted(1)
        assert broken(tmp_path, database_url) == {"planted"}
        insert_dead_letter(connection, "1-1", b"poison", "reason", NOW)
        assert broken(tmp_path, database_url) == set()


def test_an_event_that_was_unknown_first_and_acknowledged_then_must_be_there(
    sound: list[Event], tmp_path: Path, database_url: str, ledger: Ledger
):
    ledger.intend(101, 2)
    ledger.unknown(101, 2)
    ledger.intend(101, 2)
    ledger.acknowledged(101, 2)
    assert broken(tmp_path, database_url) == {"lost", "accepted"}


def test_a_loss_that_was_reported_must_be_just_as_large(
    sound: list[Event], tmp_path: Path, database_url: str, ledger: Ledger
):
    ledger.intend(101, 2)
    ledger.acknowledged(101, 2)
    assert broken(tmp_path, database_url, known_lost=2) == set()
    assert broken(tmp_path, database_url, known_lost=3) == {"lost", "accepted"}


def test_an_event_that_was_refused_must_not_be_there(tmp_path: Path, database_url: str, sound: list[Event]):
    text = f"S 1 {STORED - 1}\nA 1 {STORED - 1}\nS {STORED} 1\nR {STORED} 1 429\n"
    (tmp_path / "client.ledger").write_text(text)
    assert broken(tmp_path, database_url) == {"stored though refused", "accepted"}


def test_an_event_that_nobody_sent_is_found(tmp_path: Path, database_url: str, sound: list[Event]):
    (tmp_path / "client.ledger").write_text(f"S 1 {STORED - 1}\nA 1 {STORED - 1}\n")
    assert broken(tmp_path, database_url) == {"stored though never sent", "accepted"}


def test_an_entry_that_is_still_buffered_is_not_settled(tmp_path: Path, database_url: str, sound: list[Event]):
    assert broken(tmp_path, database_url, buffered=1) == {"still buffered", "accepted"}


ROLLUPS = {"rollups that differ"}
BREACHES = {
    "lost": ("DELETE FROM events WHERE cost_usd = 7", {"lost", "accepted", *ROLLUPS}),
    "doubled": (
        (
            "INSERT INTO events SELECT project_id, day, gen_random_uuid(), version_key, occurred_at, received_at,"
            " latency_ms, cost_usd, score FROM events WHERE cost_usd = 7"
        ),
        {"doubled", "accepted", *ROLLUPS},
    ),
    "altered latency": ("UPDATE events SET latency_ms = latency_ms + 1 WHERE cost_usd = 7", {"altered", *ROLLUPS}),
    "altered score": ("UPDATE events SET score = NULL WHERE cost_usd = 8", {"altered", *ROLLUPS}),
    "count of a rollup": ("UPDATE rollups SET events = events + 1 WHERE grain = 'day' AND prompt_key = 0", ROLLUPS),
    "sum of a rollup": ("UPDATE rollups SET cost_sum = cost_sum - 0.000001 WHERE grain = 'minute'", ROLLUPS),
    "extreme of a rollup": ("UPDATE rollups SET score_min = -1 WHERE grain = 'hour'", ROLLUPS),
    "logarithms of a rollup": ("UPDATE rollups SET latency_log_sum = latency_log_sum * 1.000001", ROLLUPS),
    "squared logarithms of a rollup": (
        "UPDATE rollups SET latency_log_sum_squares = latency_log_sum_squares + 0.0001 WHERE version_key = 0",
        ROLLUPS,
    ),
    "count of an addition": ("UPDATE rollup_additions SET events = events + 1", ROLLUPS),
    "extreme of an addition": ("UPDATE rollup_additions SET latency_max = latency_max + 1e6", ROLLUPS),
    "missing addition": ("DELETE FROM rollup_additions", {*ROLLUPS, "histograms that differ"}),
    "addition that was folded already": (
        "INSERT INTO rollup_additions SELECT * FROM rollup_additions LIMIT 1",
        {*ROLLUPS, "histograms that differ"},
    ),
    "histogram of an addition": (
        "UPDATE rollup_additions SET latency_histogram = '' WHERE latency_histogram <> ''",
        {"histograms that differ"},
    ),
    "missing rollup": ("DELETE FROM rollups WHERE grain = 'hour' AND prompt_key = 0", ROLLUPS),
    "superfluous rollup": (
        "UPDATE rollups SET bucket_start = bucket_start + interval '1 minute' WHERE grain = 'minute'",
        {*ROLLUPS, "histograms that differ"},
    ),
    "histogram, one count": (
        (
            "UPDATE rollups SET latency_histogram = set_byte(latency_histogram, 0, get_byte(latency_histogram, 0) # 1)"
            " WHERE grain = 'day' AND prompt_key = 0"
        ),
        {"histograms that differ"},
    ),
    "histogram, one bucket": (
        (
            "UPDATE rollups SET latency_histogram = set_byte(latency_histogram, 2, get_byte(latency_histogram, 2) # 16)"
            " WHERE grain = 'day' AND prompt_key = 0"
        ),
        {"histograms that differ"},
    ),
    "dead letter of a stored event": (
        (
            "INSERT INTO dead_letters (entry_id, payload, reason, received_at)"
            """ VALUES ('1-1', '[1,"",1,"","",null,"7",null]', '', now())"""
        ),
        {"stored and set aside", "accepted"},
    ),
}


@pytest.mark.parametrize("breach", BREACHES)
def test_it_finds(breach: str, sound: list[Event], connection: Connection, tmp_path: Path, database_url: str):
    statement, expected = BREACHES[breach]
    assert connection.execute(statement.encode()).rowcount > 0
    found = broken(tmp_path, database_url)
    assert expected <= found <= {*expected, "histograms that differ"}


def test_an_answer_without_its_request_is_no_ledger(tmp_path: Path, database_url: str):
    (tmp_path / "client.ledger").write_text("S 1 2\nA 2 1\n")
    with pytest.raises(AssertionError, match="without its request"):
        check(tmp_path, database_url, buffered=0, known_lost=0)


def test_it_stands_alone_and_can_be_read():
    lines = (REPOSITORY / "chaos/check.py").read_text().splitlines()
    assert len(lines) < 200
    imported = {line.split()[1].split(".")[0] for line in lines if line.startswith(("import ", "from "))}
    assert imported - sys.stdlib_module_names == {"psycopg"}

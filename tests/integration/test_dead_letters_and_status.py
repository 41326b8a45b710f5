import json
from uuid import UUID

import psycopg
import pytest
import redis

from app.core.database import Connection
from app.core.operations.replays import report_replays
from app.core.stream.events import Event, encode_event, new_event_id
from app.core.stream.state import STREAM
from tests.api_keys import create_key
from tests.commands import Run, Succeed, fails_with_one_line, select
from tests.conftest import StartProcess

NOWHERE = "127.0.0.1:1"
INSERT_DEAD_LETTER = """
INSERT INTO dead_letters (entry_id, payload, reason, received_at)
VALUES (%(entry_id)s, %(payload)s, 'not an encoded event', now())
"""


def insert_dead_letters(database_url: str, *payloads: bytes) -> list[int]:
    with psycopg.connect(database_url) as connection:
        for number, payload in enumerate(payloads):
            connection.execute(INSERT_DEAD_LETTER, {"entry_id": f"1-{number}", "payload": payload})
        return [row[0] for row in connection.execute("SELECT id FROM dead_letters ORDER BY id")]


def test_dead_letters_are_listed_without_their_bytes(succeed: Succeed, database_url: str):
    insert_dead_letters(database_url, b"one", b"three")
    lines = succeed("dead-letters", "list").splitlines()
    assert [line.split()[0] for line in lines] == ["ID", "1", "2"]
    assert [line.split()[3] for line in lines] == ["BYTES", "3", "5"]
    assert lines[1].endswith("not an encoded event")
    assert len(succeed("dead-letters", "list", "--limit", "1").splitlines()) == 2


def test_replayed_dead_letters_are_in_the_buffer_and_no_longer_in_the_table(
    succeed: Succeed, database_url: str, redis_url: str
):
    insert_dead_letters(database_url, b"one", b"two", b"three")
    told = succeed("dead-letters", "replay", "3", "1", "3", "--wait", "0")
    assert told.splitlines()[0] == "put back: 2"
    assert told.splitlines()[1].startswith("stored: 0, set aside again: 0, waiting: 2; for an hour the system page")
    with redis.Redis.from_url(redis_url) as client:
        assert [fields[b"e"] for _, fields in client.xrange(STREAM)] == [b"three", b"one"]
    assert select(database_url, "SELECT id FROM dead_letters") == [(2,)]


def test_all_dead_letters_can_be_replayed(succeed: Succeed, database_url: str, redis_url: str):
    insert_dead_letters(database_url, b"one", b"two")
    assert succeed("dead-letters", "replay", "--all", "--wait", "0").startswith("put back: 2\n")
    assert succeed("dead-letters", "replay", "--all") == "put back: 0\n"
    with redis.Redis.from_url(redis_url) as client:
        assert client.xlen(STREAM) == 2


def test_a_replay_waits_for_what_becomes_of_the_letters_and_tells_it(
    succeed: Succeed, database_url: str, database: Connection, client: redis.Redis, start: StartProcess
):
    create_key(database_url)
    event = encode_event(Event(new_event_id(), 1, UUID(int=7), "v"))
    insert_dead_letters(database_url, event, b"no event")
    start("worker")
    told = succeed("dead-letters", "replay", "--all", "--wait", "50")
    assert told == "put back: 2\nstored: 1, set aside again: 1, waiting: 0\n"
    report = report_replays(client, database, None)
    assert report
    assert (report.stored, report.set_aside, report.waiting) == (1, 1, 0), "the system page tells it too"


def test_a_dead_letter_that_the_buffer_did_not_take_stays(run: Run, database_url: str):
    insert_dead_letters(database_url, b"one")
    line = fails_with_one_line(run("dead-letters", "replay", "1", redis_url=f"redis://{NOWHERE}"))
    assert "Redis does not answer" in line
    assert select(database_url, "SELECT payload FROM dead_letters") == [(b"one",)]


def test_discarded_dead_letters_are_gone(succeed: Succeed, database_url: str, redis_url: str):
    insert_dead_letters(database_url, b"one", b"two", b"three")
    assert succeed("dead-letters", "discard", "2") == "discarded: 1\n"
    assert succeed("dead-letters", "discard", "--all") == "discarded: 2\n"
    assert select(database_url, "SELECT count(*) FROM dead_letters") == [(0,)]
    with redis.Redis.from_url(redis_url) as client:
        assert client.xlen(STREAM) == 0


@pytest.mark.parametrize("action", ["replay", "discard"])
def test_dead_letters_wants_either_ids_or_all(run: Run, database_url: str, action: str):
    insert_dead_letters(database_url, b"one")
    for arguments in ([], ["1", "--all"], ["zero"], ["0"]):
        assert run("dead-letters", action, *arguments).exit_code == 2
    assert "there is no dead letter with the id 5" in fails_with_one_line(run("dead-letters", action, "5"))
    assert select(database_url, "SELECT count(*) FROM dead_letters") == [(1,)]


def test_status_tells_how_the_events_flow(succeed: Succeed, database_url: str, redis_url: str):
    insert_dead_letters(database_url, b"one")
    with redis.Redis.from_url(redis_url) as client:
        client.xadd(STREAM, {"e": b"x"}, id="1000-0")
        client.xadd(STREAM, {"e": b"y"})
    facts = json.loads(succeed("status", "--json"))
    assert facts["oldest_event_age_seconds"] > 1_000_000
    del facts["oldest_event_age_seconds"]
    assert facts.pop("a_204_means").startswith("on disk within a second")
    assert {"maxmemory-policy", "appendonly", "appendfsync"} <= set(facts.pop("redis_settings_right"))
    assert (facts.pop("redis_settings_wrong"), facts.pop("redis_settings_unseen")) == ([], [])
    assert facts == {
        "buffer_depth": 2,
        "pending": 0,
        "last_drain_age_seconds": None,
        "dead_letters": 1,
        "lost_events": 0,
        "lost_since": None,
        "untraced_events": 0,
        "untraced_since": None,
        "replica": None,
        "replica_lag_seconds": None,
    }
    lines = succeed("status").splitlines()
    assert lines[0].split() == ["Buffered", "events", "2"]
    assert "Age of the oldest (s)         " in lines[2]
    assert lines[2].endswith(" (see docs/runbook.md#buffer_growing)")
    assert lines[4].split() == ["Dead", "letters", "1", "(see", "docs/runbook.md#dead_letters)"]


def test_status_names_the_address_of_an_entry_where_it_is_known(succeed: Succeed, database_url: str):
    insert_dead_letters(database_url, b"one")
    told = succeed("status", public_url="https://analytics.example.org")
    assert "1 (see https://analytics.example.org/docs/runbook#dead_letters)\n" in told


def test_status_names_no_entry_where_nobody_is_needed(succeed: Succeed):
    assert "(see" not in succeed("status")


def test_status_shows_what_one_server_knows_while_the_other_is_down(run: Run):
    without_redis = run("status", "--json", redis_url=f"redis://{NOWHERE}")
    assert without_redis.exit_code == 1
    assert json.loads(without_redis.stdout)["dead_letters"] == 0
    assert json.loads(without_redis.stdout)["buffer_depth"] is None
    assert "Redis does not answer" in without_redis.stderr
    assert "(see docs/runbook.md#redis)" in without_redis.stderr
    without_database = run("status", "--json", database_url=f"postgres://pa:hunter2@{NOWHERE}/pa")
    assert without_database.exit_code == 1
    assert json.loads(without_database.stdout)["buffer_depth"] == 0
    assert "PostgreSQL does not answer" in without_database.stderr
    assert "(see docs/runbook.md#postgresql)" in without_database.stderr
    assert "hunter2" not in without_database.stderr

"""Dead letters that are replayed: one entry is one dead letter, by whichever way it comes back."""

from typing import Any

import pytest
import redis

from app.core.database import Connection
from app.core.errors import RedisUnavailable
from app.core.queries.dead_letters import DeletedLetter, select_dead_letter_ids
from app.core.stream.buffer import EventBuffer
from app.core.stream.dead_letters import put_back, take_out
from app.core.stream.events import encode_event
from app.core.stream.state import GROUP, STREAM
from tests.drains import an_event, run_drain
from worker.dead_letters import keep_dead_letter
from worker.drain import STALE_AFTER_MS

PAYLOADS = {"undecodable": b"garbage", "of no project": encode_event(an_event(4_711))}


@pytest.fixture(params=list(PAYLOADS.values()), ids=list(PAYLOADS))
def payload(request: pytest.FixtureRequest) -> bytes:
    return bytes(request.param)


def set_aside_and_die(database: Connection, client: redis.Redis, payload: bytes) -> str:
    """A worker keeps an entry as a dead letter and is killed before it acknowledges; returns the entry's id."""
    entry_id: Any = client.xadd(STREAM, {"e": payload})
    for entry in EventBuffer(client).read_new("killed", 10):
        keep_dead_letter(database, entry, "it cannot be stored")
    return str(entry_id.decode())


def drain_what_is_stale(database: Connection, client: redis.Redis, *entry_ids: str) -> None:
    ids: list[Any] = list(entry_ids)
    client.xclaim(STREAM, GROUP, "killed", 0, ids, idle=STALE_AFTER_MS + 1, justid=True)
    run_drain(database, client)
    assert client.xlen(STREAM) == 0


def replay_all(database: Connection, client: redis.Redis) -> int:
    return len(take_out(database, select_dead_letter_ids(database), put_back(EventBuffer(client))))


def letters(database: Connection) -> list[tuple[str, bytes]]:
    return database.execute("SELECT entry_id, payload FROM dead_letters ORDER BY id").fetchall()


def test_a_letter_whose_entry_is_not_acknowledged_yet_stays_one_letter(database, client, payload):
    entry_id = set_aside_and_die(database, client, payload)
    assert replay_all(database, client) == 1
    drain_what_is_stale(database, client, entry_id)
    assert letters(database) == [(entry_id, payload)]


def test_a_letter_that_is_replayed_again_and_again_stays_one_letter(database, client, payload):
    entry_id = set_aside_and_die(database, client, payload)
    for _ in range(3):
        replay_all(database, client)
        run_drain(database, client)
    drain_what_is_stale(database, client, entry_id)
    assert letters(database) == [(entry_id, payload)]


def test_a_replay_whose_deletion_is_undone_leaves_one_letter(database, client, payload):
    entry_id = set_aside_and_die(database, client, payload)
    append = put_back(EventBuffer(client))

    def append_and_lose_the_answer(letter: DeletedLetter) -> None:
        append(letter)
        raise RedisUnavailable("the answer was lost")

    with pytest.raises(RedisUnavailable):
        take_out(database, select_dead_letter_ids(database), append_and_lose_the_answer)
    drain_what_is_stale(database, client, entry_id)
    assert letters(database) == [(entry_id, payload)]


@pytest.mark.parametrize("claimed", [b"", b"\x00", b"1-", b"1-1\n", b"9" * 99 + b"-1", b"\xd9\xa1-\xd9\xa1", b"\xff"])
def test_an_entry_that_claims_an_id_which_is_none_is_set_aside_by_its_own(database, client, project_id, claimed):
    entry_id = client.xadd(STREAM, {"e": b"garbage", "i": claimed})
    assert run_drain(database, client).set_aside == 1
    assert letters(database) == [(entry_id.decode(), b"garbage")]

"""EventBuffer where Redis's clock has leapt, where strangers have written into the stream, and on a replica."""

from collections.abc import Iterator
from uuid import UUID

import pytest
import redis

from app.core.errors import BufferDamaged, RedisFull, RedisUnavailable
from app.core.redis_client import connect, redis_errors
from app.core.stream.appending import Outcome
from app.core.stream.buffer import EventBuffer
from app.core.stream.events import Event, idempotency_mark, new_event_id
from app.core.stream.state import GROUP, STREAM


@pytest.fixture
def client(redis_url: str, clean_redis: None) -> Iterator[redis.Redis]:
    with connect(redis_url, timeout_seconds=5) as client:
        yield client


@pytest.fixture
def buffer(client: redis.Redis) -> EventBuffer:
    return EventBuffer(client)


def an_event(key: str | None = None) -> Event:
    event_id = new_event_id() if key is None else idempotency_mark(b"secret", 1, key)
    return Event(event_id, 1, UUID(int=1), "v1")


HOUR_AHEAD_MS = 3_600_000


def now_ms(client: redis.Redis) -> int:
    seconds, microseconds = client.time()
    return int(seconds) * 1_000 + int(microseconds) // 1_000


@pytest.mark.parametrize("events", [1, 5])
def test_after_a_leap_of_the_clock_events_get_the_time_at_which_they_came(buffer, client, events):
    client.xadd(STREAM, {"e": b"of a later time"}, id=f"{now_ms(client) + HOUR_AHEAD_MS}-0")
    client.xgroup_create(STREAM, GROUP, id="0")
    before = now_ms(client)
    assert buffer.append(*[an_event() for _ in range(events)]).outcome is Outcome.STORED
    _, *entries = buffer.read_new("w", 10)
    assert len(entries) == events
    assert all(before <= entry.received_at_ms <= now_ms(client) for entry in entries)


def test_a_stream_that_is_empty_after_a_leap_of_the_clock_begins_anew(buffer, client):
    client.xadd(STREAM, {"e": b"x"}, id=f"{now_ms(client) + HOUR_AHEAD_MS}-0")
    client.xgroup_create(STREAM, GROUP, id="0")
    buffer.acknowledge([entry.entry_id for entry in buffer.read_new("w", 10)])
    assert buffer.append(an_event()).outcome is Outcome.STORED
    (entry,) = buffer.read_new("w", 10)
    assert int(entry.entry_id.split("-")[0]) <= now_ms(client)
    assert buffer.state().leap_seconds == 0


LAST_ID = "18446744073709551615-18446744073709551615"


def test_a_stream_that_has_used_up_its_ids_takes_events_again_when_it_is_empty(buffer, client):
    client.xadd(STREAM, {"e": b"x"}, id=LAST_ID)
    client.xgroup_create(STREAM, GROUP, id="0")
    with pytest.raises(RedisUnavailable):
        buffer.append(an_event("k"), mark=b"k")
    assert buffer.state().leap_seconds > 1_000
    buffer.acknowledge([entry.entry_id for entry in buffer.read_new("w", 10)])
    assert buffer.append(an_event("k"), mark=b"k").outcome is Outcome.STORED
    assert len(buffer.read_new("w", 10)) == 1


def test_a_full_redis_never_begins_the_stream_anew(buffer, client):
    buffer.append(an_event())
    buffer.acknowledge([entry.entry_id for entry in buffer.read_new("w", 10)])
    client.config_set("maxmemory", "1")
    with pytest.raises(RedisFull):
        buffer.append(an_event())
    assert client.exists(STREAM)
    assert [group["name"] for group in client.xinfo_groups(STREAM)] == [GROUP.encode()]
    client.config_set("maxmemory", "0")


@pytest.mark.parametrize("time", [b"abc", b"-99999999999999999999", b"9" * 40, b"", "²".encode()])
def test_an_entry_whose_time_is_none_counts_from_its_id(buffer, client, time):
    client.xgroup_create(STREAM, GROUP, id="0", mkstream=True)
    client.xadd(STREAM, {"e": b"x", "t": time}, id="1790000000123-0")
    assert buffer.state().oldest_age_seconds > 0
    assert [entry.received_at_ms for entry in buffer.read_new("w", 10)] == [1_790_000_000_123]


def test_something_else_in_the_place_of_the_stream_is_named(buffer, client):
    client.set(STREAM, "a string")
    with pytest.raises(BufferDamaged, match="no stream"):
        buffer.state()
    with pytest.raises(RedisUnavailable):
        buffer.append(an_event())


def test_a_redis_that_became_a_replica_is_left(client, redis_url):
    with connect(redis_url) as own:
        own.set("a", "b")
        before = own.client_id()
        client.replicaof("127.0.0.1", "1")
        try:
            with pytest.raises(RedisUnavailable), redis_errors():
                own.set("a", "c")
        finally:
            client.replicaof("NO", "ONE")
        assert own.client_id() != before

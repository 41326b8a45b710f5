"""EventBuffer on a real Redis: what one append does, and what it refuses."""

import threading
from collections.abc import Iterator
from decimal import Decimal
from uuid import UUID

import pytest
import redis

from app.core.errors import RedisFull, RedisUnavailable
from app.core.redis_client import connect
from app.core.stream.appending import WAKE_FLAG, WAKE_QUEUE, Outcome
from app.core.stream.buffer import EventBuffer
from app.core.stream.events import Event, decode_event, idempotency_mark, idempotent_event_id, new_event_id
from app.core.stream.state import GROUP, STREAM
from app.local.redis_server import RunningRedis

SECRET = b"secret"


@pytest.fixture
def client(redis_url: str, clean_redis: None) -> Iterator[redis.Redis]:
    with connect(redis_url, timeout_seconds=5) as client:
        yield client


@pytest.fixture
def buffer(client: redis.Redis) -> EventBuffer:
    return EventBuffer(client)


def an_event(key: str | None = None, latency_ms: int = 5) -> Event:
    event_id = new_event_id() if key is None else idempotency_mark(SECRET, 1, key)
    return Event(event_id, 1, UUID(int=1), "v1", Decimal(latency_ms))


def test_an_appended_event_comes_out_as_it_went_in(buffer):
    event = an_event()
    buffer.append(event)
    entries = buffer.read_new("w", 10)
    assert [decode_event(entry.payload) for entry in entries] == [event]


def test_only_the_first_append_of_a_second_asks_for_a_worker(buffer, client):
    answers = [buffer.append(an_event()) for _ in range(5)]
    assert [answer.outcome for answer in answers] == [Outcome.STORED] * 5
    assert [answer.must_wake for answer in answers] == [True] + [False] * 4
    assert 0 < client.pttl(WAKE_FLAG) <= 1_000
    client.delete(WAKE_FLAG)
    assert buffer.append(an_event())[:2] == (Outcome.STORED, True)


def test_nobody_is_woken_while_enough_wake_ups_wait(buffer, client):
    client.rpush(f"rq:queue:{WAKE_QUEUE}", *"1234")
    assert buffer.append(an_event())[:2] == (Outcome.STORED, False)
    client.lpop(f"rq:queue:{WAKE_QUEUE}")
    assert buffer.append(an_event())[:2] == (Outcome.STORED, True)


def test_a_repeat_is_answered_without_storing_it_again(buffer, client):
    assert buffer.append(an_event("k"), mark=b"k").outcome is Outcome.STORED
    assert buffer.append(an_event("k"), mark=b"k").outcome is Outcome.REPLAYED
    assert client.xlen(STREAM) == 1


def test_a_repeat_is_known_also_after_the_event_was_drained(buffer, client):
    buffer.append(an_event("k"), mark=b"k")
    buffer.acknowledge([entry.entry_id for entry in buffer.read_new("w", 10)])
    assert buffer.append(an_event("k"), mark=b"k").outcome is Outcome.REPLAYED
    assert client.xlen(STREAM) == 0


def test_the_same_key_with_other_content_is_refused_and_the_first_event_stays(buffer, client):
    buffer.append(an_event("k"), mark=b"k")
    assert buffer.append(an_event("k", latency_ms=6), mark=b"k").outcome is Outcome.KEY_REUSED
    assert [decode_event(entry.payload).latency_ms for entry in buffer.read_new("w", 10)] == [5]


def test_the_idempotency_mark_ends_with_its_window(client):
    EventBuffer(client, idempotency_window_seconds=77).append(an_event("k"), mark=b"k")
    (mark,) = client.scan_iter("pa:idempotency:*")
    assert 70_000 < client.pttl(mark) <= 77_000


def test_above_the_watermark_it_refuses_and_leaves_no_mark(client):
    buffer = EventBuffer(client, max_events=2)
    buffer.append(an_event())
    buffer.append(an_event())
    assert buffer.append(an_event("k"), mark=b"k").outcome is Outcome.BUFFER_FULL
    assert client.xlen(STREAM) == 2
    assert not list(client.scan_iter("pa:idempotency:*"))
    buffer.acknowledge([entry.entry_id for entry in buffer.read_new("w", 1)])
    assert buffer.append(an_event("k"), mark=b"k").outcome is Outcome.STORED


def test_a_full_redis_refuses_and_leaves_no_mark(buffer, client):
    buffer.append(an_event())
    client.config_set("maxmemory", "1")
    with pytest.raises(RedisFull):
        buffer.append(an_event("k"), mark=b"k")
    client.config_set("maxmemory", "0")
    assert client.xlen(STREAM) == 1
    assert buffer.append(an_event("k"), mark=b"k").outcome is Outcome.STORED


def test_a_silent_redis_is_an_unknown_outcome_and_nothing_is_sent_again(redis_server: RunningRedis, clean_redis):
    with connect(redis_server.url, timeout_seconds=0.2) as client:
        buffer = EventBuffer(client)
        buffer.append(an_event())
        with connect(redis_server.url, timeout_seconds=5) as other:
            other.execute_command("CLIENT", "PAUSE", 1_000)
            with pytest.raises(RedisUnavailable):
                buffer.append(an_event())
            other.execute_command("CLIENT", "UNPAUSE")
            assert other.xlen(STREAM) <= 2


def test_without_redis_an_append_fails_fast(redis_server: RunningRedis, clean_redis):
    with connect(redis_server.url) as client:
        redis_server.stop()
        with pytest.raises(RedisUnavailable):
            EventBuffer(client).append(an_event())
        redis_server.restart()
        EventBuffer(client).append(an_event())


def test_acknowledged_entries_are_gone_from_stream_and_pending_list(buffer, client):
    for _ in range(3):
        buffer.append(an_event())
    entries = buffer.read_new("w", 2)
    buffer.acknowledge([entry.entry_id for entry in entries])
    assert (client.xlen(STREAM), client.xpending(STREAM, GROUP)["pending"]) == (1, 0)
    buffer.acknowledge([])


def test_the_state_tells_depth_ages_and_pending(buffer, client):
    empty = buffer.state()
    assert (empty.depth, empty.pending, empty.oldest_age_seconds, empty.last_drain_age_seconds) == (0, 0, 0, None)
    seconds, _ = client.time()
    client.xadd(STREAM, {"e": b"x"}, id=f"{(seconds - 90) * 1_000}-0")
    buffer.append(an_event())
    buffer.read_new("w", 1)
    state = buffer.state()
    assert (state.depth, state.pending) == (2, 1)
    assert 89 < state.oldest_age_seconds < 95
    assert state.last_drain_age_seconds is not None
    assert state.last_drain_age_seconds < 5


def a_batch(key: str, size: int, first_latency_ms: int = 5) -> list[Event]:
    return [
        Event(idempotency_mark(SECRET, 1, key, position), 1, UUID(int=1), "v1", Decimal(first_latency_ms + position))
        for position in range(size)
    ]


def test_a_thousand_events_go_in_at_once_and_come_out_in_their_order(buffer, client):
    batch = a_batch("k", 1_000)
    assert buffer.append(*batch)[:2] == (Outcome.STORED, True)
    assert [decode_event(entry.payload) for entry in buffer.read_new("w", 2_000)] == batch


def test_a_batch_has_one_mark_and_its_repeat_stores_nothing(buffer, client):
    buffer.append(*a_batch("k", 20), mark=b"k")
    assert len(list(client.scan_iter("pa:idempotency:*"))) == 1
    assert buffer.append(*a_batch("k", 20), mark=b"k").outcome is Outcome.REPLAYED
    assert client.xlen(STREAM) == 20


@pytest.mark.parametrize("other", [a_batch("k", 19), a_batch("k", 21), a_batch("k", 20, 6), a_batch("k", 20)[::-1]])
def test_the_same_key_with_another_batch_is_refused(buffer, client, other):
    buffer.append(*a_batch("k", 20), mark=b"k")
    assert buffer.append(*other, mark=b"k").outcome is Outcome.KEY_REUSED
    assert client.xlen(STREAM) == 20


def test_the_watermark_counts_every_event_of_a_batch(client):
    buffer = EventBuffer(client, max_events=10)
    buffer.append(*a_batch("a", 4))
    assert buffer.append(*a_batch("b", 7), mark=b"b").outcome is Outcome.BUFFER_FULL
    assert (client.xlen(STREAM), list(client.scan_iter("pa:idempotency:*"))) == (4, [])
    buffer.append(*a_batch("b", 6), mark=b"b")
    assert client.xlen(STREAM) == 10


def test_redis_takes_all_of_a_batch_or_nothing_when_it_runs_full(buffer, client):
    """The batch itself is what fills it, and its script has written by then."""
    buffer.append(an_event())
    client.config_set("maxmemory", client.info("memory")["used_memory"] + 400_000)
    taken = []

    def fill() -> None:
        for number in range(1_000):
            buffer.append(*a_batch(f"k{number}", 1_000), mark=b"k%d" % number)
            taken.append(number)

    with pytest.raises(RedisFull):
        fill()
    client.config_set("maxmemory", "0")
    assert taken
    assert client.xlen(STREAM) == 1 + 1_000 * len(taken)
    assert len(list(client.scan_iter("pa:idempotency:*"))) == len(taken)


def test_fifty_concurrent_repeats_store_one_entry(buffer, client):
    answers = []
    threads = [
        threading.Thread(target=lambda: answers.append(buffer.append(an_event("k"), mark=b"k").outcome))
        for _ in range(50)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers.count(Outcome.REPLAYED) == 49
    assert client.xlen(STREAM) == 1


def test_the_first_append_makes_the_group_so_that_a_full_redis_can_be_drained(buffer, client):
    buffer.append(an_event())
    client.config_set("maxmemory", "1")
    assert len(buffer.read_new("w", 10)) == 1


def test_an_append_that_redis_refuses_leaves_no_mark(buffer, client):
    client.xadd(STREAM, {"e": b"x"}, id="18446744073709551615-18446744073709551615")
    with pytest.raises(RedisUnavailable):
        buffer.append(an_event("k"), mark=b"k")
    assert not list(client.scan_iter("pa:idempotency:*"))


def test_a_read_waits_for_the_first_entry_if_told_to(buffer):
    timer = threading.Timer(0.2, lambda: buffer.append(an_event()))
    timer.start()
    assert len(buffer.read_new("w", 10, wait_ms=2_000)) == 1
    timer.join()
    assert buffer.read_new("w", 10, wait_ms=1) == []


def test_a_repeat_in_the_next_hour_is_known_by_its_mark_though_it_has_another_id(buffer):
    mark = idempotency_mark(SECRET, 1, "k")
    first, repeat = (an_event()._replace(event_id=idempotent_event_id(mark, hour)) for hour in (3_599_999, 3_600_000))
    assert first.event_id != repeat.event_id
    assert buffer.append(first, mark=mark).outcome is Outcome.STORED
    assert buffer.append(repeat, mark=mark).outcome is Outcome.REPLAYED

"""A buffer of several streams, in one Redis and in a real cluster: spread, read and added up as if there were one."""

from collections import Counter
from collections.abc import Iterator
from functools import partial
from uuid import UUID

import pytest
import redis

from app.core.errors import BufferDamaged, RedisUnavailable
from app.core.fixed_window import FixedWindow
from app.core.redis_client import connect
from app.core.redis_cluster import is_cluster, open_redis
from app.core.stream.appending import Answer, Ask, Asked, Outcome, Send
from app.core.stream.buffer import EventBuffer
from app.core.stream.consumers import forget_silent_ones, silent_for_seconds
from app.core.stream.entries import Entry
from app.core.stream.events import Event, decode_event, idempotency_mark, new_event_id
from app.core.stream.numbering import Numbering
from app.core.stream.state import GROUP, labels_in, state_of
from app.core.stream.streams import MOST_STREAMS, key_of, place_of, streams_in
from app.local.ports import free_port
from tests.waiting import wait_until

STREAMS = 3
MANY = 60


@pytest.fixture(params=["one Redis", "a cluster"])
def client(request: pytest.FixtureRequest) -> Iterator[redis.Redis]:
    open_node = partial(connect, timeout_seconds=5)
    if request.param == "a cluster":
        cluster = request.getfixturevalue("redis_cluster")
        cluster.empty()
        client = open_redis(cluster.url, open_node, cluster=True)
    else:
        request.getfixturevalue("clean_redis")
        client = open_redis(request.getfixturevalue("redis_url"), open_node, cluster=False)
    yield client
    client.close()


@pytest.fixture
def buffer(client: redis.Redis) -> EventBuffer:
    return EventBuffer(client, streams=STREAMS)


def an_event(key: str | None = None, version: str = "v") -> Event:
    return Event(new_event_id() if key is None else idempotency_mark(b"secret", 1, key), 1, UUID(int=1), version)


def depths(client: redis.Redis) -> list[int]:
    return [int(client.xlen(key_of(client, stream))) for stream in range(STREAMS)]


def read_all(buffer: EventBuffer, consumer: str = "w") -> list[Entry]:
    entries = more = buffer.read_new(consumer, 1_000, wait_ms=1)
    while more:
        more = buffer.read_new(consumer, 1_000, wait_ms=1)
        entries = [*entries, *more]
    return entries


def test_events_without_a_key_take_turns_and_all_come_out_as_they_went_in(buffer, client):
    sent = [an_event() for _ in range(MANY)]
    for event in sent:
        assert buffer.append(event).outcome is Outcome.STORED
    assert depths(client) == [MANY // STREAMS] * STREAMS
    entries = read_all(buffer)
    assert {decode_event(entry.payload) for entry in entries} == set(sent)
    assert len({entry.entry_id for entry in entries}) == MANY
    assert Counter(place_of(entry.entry_id)[0] for entry in entries) == dict.fromkeys(range(STREAMS), MANY // STREAMS)
    buffer.acknowledge([entry.entry_id for entry in entries])
    assert depths(client) == [0] * STREAMS


def test_one_busy_key_is_spread_and_each_repeat_still_finds_its_mark(buffer, client):
    for number in range(MANY):
        assert buffer.append(an_event(f"{number}"), mark=b"%d" % number).outcome is Outcome.STORED
    for number in range(MANY):
        assert buffer.append(an_event(f"{number}"), mark=b"%d" % number).outcome is Outcome.REPLAYED
        assert buffer.append(an_event(f"{number}", "other"), mark=b"%d" % number).outcome is Outcome.KEY_REUSED
    assert sum(depths(client)) == MANY
    assert min(depths(client)) > MANY // STREAMS // 3


def test_a_rate_limit_counts_in_all_streams_together(buffer, client):
    window = FixedWindow("pa:limit:k", 10, 60_000)
    answers = [buffer.append(an_event(), window=window) for _ in range(12)]
    assert [answer.outcome for answer in answers] == [Outcome.STORED] * 10 + [Outcome.OVER_LIMIT] * 2
    assert [answer.hits for answer in answers] == list(range(1, 13))
    assert all(0 < answer.window_left_ms <= 60_000 for answer in answers)
    assert sum(depths(client)) == 10


def test_a_batch_that_is_over_the_limit_is_one_hit_and_leaves_room_for_a_smaller_one(buffer):
    window = FixedWindow("pa:limit:k", 5, 60_000)
    too_large = buffer.append(*[an_event() for _ in range(6)], window=window)
    assert (too_large.outcome, too_large.hits) == (Outcome.OVER_LIMIT, 1)
    fits = buffer.append(*[an_event() for _ in range(4)], window=window)
    assert (fits.outcome, fits.hits) == (Outcome.STORED, 5)


def test_one_redis_that_is_away_is_tried_once_however_many_streams_it_has():
    tried = list[Asked]()

    def together(send: Send) -> Ask:
        def ask(asked: Asked) -> Answer:
            tried.append(asked)
            return send([asked])[0]

        return ask

    away = EventBuffer(connect(f"redis://127.0.0.1:{free_port()}/0"), streams=8, together=together)
    with pytest.raises(RedisUnavailable):
        away.append(an_event())
    assert len(tried) == 1


def test_each_stream_has_its_share_of_the_watermark(client):
    buffer = EventBuffer(client, streams=STREAMS, max_events=30)
    outcomes = Counter(buffer.append(an_event()).outcome for _ in range(40))
    assert outcomes == {Outcome.STORED: 30, Outcome.BUFFER_FULL: 10}


def test_after_the_number_was_lowered_or_raised_everything_is_still_read(client):
    for streams in (5, 1, 2):
        buffer = EventBuffer(client, streams=streams)
        for _ in range(10):
            buffer.append(an_event())
    assert streams_in(client) == [0, 1, 2, 3, 4]
    reader = EventBuffer(client)
    assert (reader.state().depth, len(read_all(reader))) == (30, 30)
    assert reader.state().pending == 30


def test_the_last_stream_that_may_be_set_is_found(client):
    EventBuffer(client, streams=MOST_STREAMS)
    client.xadd(key_of(client, MOST_STREAMS - 1), {"e": "x"})
    assert [place_of(entry.entry_id)[0] for entry in read_all(EventBuffer(client))] == [MOST_STREAMS - 1]


def test_entries_of_a_dead_worker_are_taken_over_in_every_stream(buffer, client):
    for _ in range(MANY):
        buffer.append(an_event())
    left = {entry.entry_id for entry in read_all(buffer, "dead")}
    heir, taken, cursor = EventBuffer(client, streams=STREAMS), list[Entry](), "0-0"
    while True:
        cursor, entries = heir.claim_stale("heir", min_idle_ms=0, count=7, cursor=cursor)
        taken += entries
        if cursor == "0-0":
            break
    assert {entry.entry_id for entry in taken} == left
    assert len(left) == MANY
    heir.renew("heir", sorted(left))
    assert buffer.claim_stale("dead", min_idle_ms=5_000, count=100, cursor="0-0")[1] == []


def test_streams_of_another_worker_are_read_however_much_there_is_in_ones_own(client):
    EventBuffer(client, streams=6).read_new("dead", 1)
    heir, seen = EventBuffer(client, streams=6), set[int]()
    heir.read_new("heir", 1)
    heir._reader._next_look = float("inf")
    others = set(heir._reader._others)
    assert others
    assert heir._reader._own

    def has_seen_all() -> bool:
        for _ in range(12):
            heir.append(an_event())
        seen.update(place_of(entry.entry_id)[0] for entry in heir.read_new("heir", 1_000))
        return seen >= others

    wait_until(has_seen_all)


def test_what_waits_and_its_labels_add_up(client):
    acknowledged = list[object]()
    buffer = EventBuffer(client, streams=STREAMS, numbering=Numbering(acknowledged.extend))
    for _ in range(MANY):
        buffer.append(an_event())
    labels = labels_in(client, at_most=MANY)
    assert labels is not None
    assert len(set(labels)) == MANY
    assert labels_in(client, at_most=MANY - 1) is None
    state = state_of(client)
    assert (state.depth, state.pending, state.last_drain_age_seconds) == (MANY, 0, None)


def test_a_stranger_who_reads_one_stream_is_seen_and_forgotten(buffer, client):
    for _ in range(STREAMS):
        buffer.append(an_event())
    last = key_of(client, STREAMS - 1)
    assert silent_for_seconds(client) is None
    client.xreadgroup(GROUP, "stranger", {last: ">"}, count=10)
    assert silent_for_seconds(client) is not None
    [(_, entries)] = client.xreadgroup(GROUP, "stranger", {last: "0"}, count=10)
    client.xack(last, GROUP, *[entry_id for entry_id, _ in entries])
    assert forget_silent_ones(client, after_seconds=0) == 1


def test_something_else_in_the_place_of_any_stream_is_told(buffer, client):
    client.set(key_of(client, 2), "x")
    with pytest.raises(BufferDamaged, match=r"\{pa:2\}:events is no stream"):
        buffer.state()


def test_of_one_redis_the_first_stream_keeps_its_names(buffer, client):
    buffer.append(an_event("k"), mark=b"k")
    for _ in range(STREAMS):
        buffer.append(an_event())
    first = "{pa:0}:events" if is_cluster(client) else "pa:events"
    assert client.xlen(first) in (1, 2)
    assert key_of(client, 0) == first

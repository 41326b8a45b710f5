"""Several requests in one call of append.lua: each is taken or refused as if it had come alone."""

from collections.abc import Iterator, Sequence
from typing import cast

import pytest
import redis

from app.core.errors import RedisFull
from app.core.fixed_window import FixedWindow
from app.core.redis_client import connect, redis_errors
from app.core.stream.appending import WAKE_FLAG, Asked, Outcome, Send, append_script
from app.core.stream.state import STREAM

WINDOW = FixedWindow("pa:limit:a", 3, 60_000)
MARKS = "pa:idempotency:*"


@pytest.fixture
def client(redis_url: str, clean_redis: None) -> Iterator[redis.Redis]:
    with connect(redis_url, timeout_seconds=5) as client:
        yield client


@pytest.fixture
def send(client: redis.Redis) -> Send:
    return append_script(client, max_events=5, idempotency_window_seconds=900)


def an_event(name: str, *, window: FixedWindow | None = None, fingerprint: bytes = b"") -> Asked:
    return Asked(window, f"pa:idempotency:{name}", fingerprint, [name.encode()], [f"s:{name}".encode()])


def a_batch(size: int, window: FixedWindow | None = None) -> Asked:
    return Asked(window, "pa:idempotency:batch", b"f", [b"%d" % n for n in range(size)], [b""] * size)


def outcomes(answers: Sequence[object]) -> list[object]:
    return [answer if isinstance(answer, Exception) else Outcome(answer[0]) for answer in answers]  # type: ignore[index]


def stored(client: redis.Redis) -> list[tuple[bytes, bytes | None]]:
    entries = cast(list[tuple[bytes, dict[bytes, bytes]]], client.xrange(STREAM))
    return [(fields[b"e"], fields.get(b"n")) for _, fields in entries]


def test_all_go_in_with_their_labels_in_their_order(send, client):
    answers = send([an_event("a"), a_batch(2), an_event("b")])
    assert outcomes(answers) == [Outcome.STORED] * 3
    assert stored(client) == [(b"a", b"s:a"), (b"0", None), (b"1", None), (b"b", b"s:b")]


def test_one_of_them_is_told_to_wake_a_worker(send, client):
    assert [answer[1] for answer in send([an_event("a"), an_event("b"), an_event("c")])] == [1, 0, 0]
    assert [answer[1] for answer in send([an_event("d")])] == [0]
    client.delete(WAKE_FLAG, STREAM)
    refused = FixedWindow("pa:limit:none", 0, 60_000)
    assert [answer[1] for answer in send([an_event("e", window=refused), an_event("f")])] == [0, 1]


def test_each_is_told_its_own_place_in_the_window_and_the_rest_is_refused(send, client):
    answers = send([an_event(name, window=WINDOW) for name in "abcde"])
    assert outcomes(answers) == [Outcome.STORED] * 3 + [Outcome.OVER_LIMIT] * 2
    assert [answer[2] for answer in answers] == [1, 2, 3, 4, 5]
    assert {0 < answer[3] <= 60_000 for answer in answers} == {True}
    assert (client.get(WINDOW.counter), client.xlen(STREAM)) == (b"5", 3)


def test_a_batch_that_is_over_the_limit_is_one_hit_and_leaves_room_for_others(send, client):
    answers = send([an_event("a", window=WINDOW), a_batch(3, WINDOW), an_event("b", window=WINDOW)])
    assert outcomes(answers) == [Outcome.STORED, Outcome.OVER_LIMIT, Outcome.STORED]
    assert ([answer[2] for answer in answers], client.get(WINDOW.counter)) == ([1, 2, 3], b"3")
    assert not list(client.scan_iter(MARKS))


def test_every_window_counts_its_own(send, client):
    other = FixedWindow("pa:limit:b", 1, 1_000)
    answers = send(
        [an_event("a", window=WINDOW), an_event("b", window=other), an_event("c"), an_event("d", window=other)]
    )
    assert outcomes(answers) == [Outcome.STORED] * 3 + [Outcome.OVER_LIMIT]
    assert [answer[2] for answer in answers] == [1, 1, 0, 2]
    assert 0 < client.pttl(other.counter) <= 1_000 < client.pttl(WINDOW.counter) <= 60_000


def test_a_repeat_is_known_beside_the_first_one(send, client):
    twice = an_event("a", fingerprint=b"f")
    answers = send([twice, twice, an_event("a", fingerprint=b"g"), an_event("b", fingerprint=b"f")])
    assert outcomes(answers) == [Outcome.STORED, Outcome.REPLAYED, Outcome.KEY_REUSED, Outcome.STORED]
    assert [event for event, _ in stored(client)] == [b"a", b"b"]


def test_the_watermark_holds_within_a_call_and_repeats_are_known_above_it(send, client):
    answers = send([a_batch(4), an_event("a", fingerprint=b"f"), an_event("b", fingerprint=b"f")])
    assert outcomes(answers) == [Outcome.STORED, Outcome.STORED, Outcome.BUFFER_FULL]
    assert outcomes(send([an_event("a", fingerprint=b"f"), an_event("a", fingerprint=b"g")])) == [
        Outcome.REPLAYED,
        Outcome.KEY_REUSED,
    ]
    assert (client.xlen(STREAM), len(list(client.scan_iter(MARKS)))) == (5, 2)


def test_a_broken_counter_refuses_those_who_count_by_it_alone(send, client):
    client.set(WINDOW.counter, "no number")
    answers = send([an_event("a", window=WINDOW), an_event("b"), an_event("c", window=WINDOW)])
    assert [isinstance(answer, redis.ResponseError) for answer in answers] == [True, False, True]
    assert [event for event, _ in stored(client)] == [b"b"]


def test_a_full_redis_refuses_all_of_them_and_keeps_nothing(send, client):
    client.config_set("maxmemory", "1")
    answers = send([an_event("a", window=WINDOW, fingerprint=b"f"), an_event("b", fingerprint=b"f")])
    assert [is_out_of_memory(answer) for answer in answers] == [True, True]
    client.config_set("maxmemory", "0")
    assert list(client.scan_iter("pa:*")) == []


def is_out_of_memory(answer: object) -> bool:
    try:
        with redis_errors():
            raise answer if isinstance(answer, Exception) else AssertionError(answer)
    except RedisFull:
        return True


def test_after_a_leap_of_the_ids_all_of_them_bring_their_time(send, client):
    client.xadd(STREAM, {"e": b"x"}, id="18446744073709500000-0")
    assert outcomes(send([an_event("a"), an_event("b")])) == [Outcome.STORED] * 2
    entries = client.xrange(STREAM)[1:]
    assert [fields[b"e"] for _, fields in entries] == [b"a", b"b"]
    assert all(abs(int(fields[b"t"]) - 1_000 * client.time()[0]) < 60_000 for _, fields in entries)

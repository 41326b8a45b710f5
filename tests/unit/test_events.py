from decimal import Decimal
from uuid import UUID

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.errors import UndecodableEntry
from app.core.stream.events import (
    LAST_STORABLE_MS,
    Event,
    decode_event,
    encode_event,
    fingerprint,
    id_of_another_hour,
    idempotency_mark,
    idempotent_event_id,
    new_event_id,
)

HOUR_MS = 3_600_000
NOON_MS = 1_790_000_000_000 // HOUR_MS * HOUR_MS
SECRET = b"a secret of the service"
EVENT = Event(bytes(range(16)), 7, UUID(int=0), "v1", Decimal("812.4"), Decimal("0.00042749999999999996"), Decimal(-1))

numbers = st.none() | st.decimals(-(10**12), 10**12, allow_nan=False, places=324)
events = st.builds(
    Event,
    event_id=st.binary(min_size=16, max_size=16),
    project_id=st.integers(1, 2**31 - 1),
    prompt_id=st.uuids(),
    version_hash=st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=256),
    latency_ms=numbers,
    cost_usd=numbers,
    score=numbers,
    occurred_at_ms=st.none() | st.integers(0, LAST_STORABLE_MS),
)


@given(events)
def test_an_event_comes_out_of_the_buffer_as_it_went_in(event):
    decoded = decode_event(encode_event(event))
    assert decoded == event
    assert [str(decoded.cost_usd), str(decoded.score)] == [str(event.cost_usd), str(event.score)]


def test_numbers_keep_the_digits_that_the_client_wrote():
    assert b'"0.00042749999999999996"' in encode_event(EVENT)


def test_an_event_without_a_time_of_its_own_is_encoded_as_ever():
    """Workers of the release before read it, and its buffer is read by this one."""
    assert orjson.loads(encode_event(EVENT)) == [
        *(1, EVENT.event_id.hex(), 7, "0" * 32, "v1"),
        *("812.4", "0.00042749999999999996", "-1"),
    ]


def test_an_event_with_a_time_of_its_own_has_one_field_more():
    timed = EVENT._replace(occurred_at_ms=1_790_000_000_123)
    assert orjson.loads(encode_event(timed)) == [2, *orjson.loads(encode_event(EVENT))[1:], 1_790_000_000_123]


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"not json",
        b"{}",
        b"[]",
        b"7",
        b"null",
        orjson.dumps([1, "x", 1, "y", "v", None, None, None]),
        orjson.dumps([2, *orjson.loads(encode_event(EVENT))[1:]]),
        orjson.dumps([*orjson.loads(encode_event(EVENT)), "one too many"]),
        orjson.dumps([3, *orjson.loads(encode_event(EVENT))[1:], 0]),
        *(
            orjson.dumps([2, *orjson.loads(encode_event(EVENT))[1:], *time])
            for time in ([-1], [LAST_STORABLE_MS + 1], [1.5], ["1"], [True], [None], [0, 0])
        ),
        orjson.dumps([*orjson.loads(encode_event(EVENT))[:5], "NaN", None, None]),
        orjson.dumps([*orjson.loads(encode_event(EVENT))[:5], "1e-99999", None, None]),
        orjson.dumps([*orjson.loads(encode_event(EVENT))[:5], "1e21", None, None]),
        orjson.dumps([*orjson.loads(encode_event(EVENT))[:5], "Infinity", None, None]),
        orjson.dumps([*orjson.loads(encode_event(EVENT))[:5], "0." + "1" * 421, None, None]),
        orjson.dumps([*orjson.loads(encode_event(EVENT))[:5], 1.5, [1], None]),
        orjson.dumps([*orjson.loads(encode_event(EVENT))[:5], "twelve", None, None]),
        orjson.dumps([*orjson.loads(encode_event(EVENT))[:4], 5, None, None, None]),
        orjson.dumps([*orjson.loads(encode_event(EVENT))[:2], "7", *orjson.loads(encode_event(EVENT))[3:]]),
    ],
)
def test_bytes_that_are_no_event_are_set_aside(payload):
    with pytest.raises(UndecodableEntry):
        decode_event(payload)


@given(st.binary(max_size=200))
def test_no_bytes_at_all_break_the_decoder(payload):
    with pytest.raises(UndecodableEntry):
        decode_event(payload)


def test_the_same_idempotency_key_gives_the_same_mark():
    assert idempotency_mark(SECRET, 1, "order-1") == idempotency_mark(SECRET, 1, "order-1")


def test_marks_differ_by_key_project_and_secret():
    ids = {
        idempotency_mark(SECRET, 1, "order-1"),
        idempotency_mark(SECRET, 1, "order-2"),
        idempotency_mark(SECRET, 11, "order-1"),
        idempotency_mark(SECRET, 1, "1:order-1"),
        idempotency_mark(b"another secret", 1, "order-1"),
    }
    assert len(ids) == 5


def test_each_event_of_a_batch_has_a_mark_of_its_own():
    ids = {idempotency_mark(SECRET, 1, "order-1", position) for position in range(1_000)}
    assert len(ids) == 1_000
    assert idempotency_mark(SECRET, 1, "order-1") in ids
    assert idempotency_mark(SECRET, 1, "order-11") not in ids


def test_idempotent_ids_are_valid_uuids_of_version_8():
    event_id = UUID(bytes=idempotent_event_id(idempotency_mark(SECRET, 1, "order-1"), NOON_MS))
    assert (event_id.version, event_id.variant) == (8, "specified in RFC 4122")


def test_idempotent_ids_of_an_hour_lie_side_by_side_whatever_their_keys():
    marks = [idempotency_mark(SECRET, 1, f"order-{number}") for number in range(100)]
    hours = [NOON_MS - 1, NOON_MS, NOON_MS + HOUR_MS - 1, NOON_MS + HOUR_MS]
    before, first, last, after = ({idempotent_event_id(mark, time_ms) for mark in marks} for time_ms in hours)
    assert first == last
    assert len(first) == 100
    assert max(before) < min(first) <= max(first) < min(after)


def test_an_idempotent_id_tells_what_it_would_have_been_an_hour_earlier_or_later():
    mark = idempotency_mark(SECRET, 1, "order-1")
    at_noon, before = idempotent_event_id(mark, NOON_MS), idempotent_event_id(mark, NOON_MS - 1)
    assert (id_of_another_hour(at_noon, -1), id_of_another_hour(before, 1)) == (before, at_noon)
    assert id_of_another_hour(new_event_id(), -1) is None


def test_new_ids_sort_by_the_time_they_were_made():
    ids = [new_event_id() for _ in range(1_000)]
    assert sorted(ids) == ids
    assert UUID(bytes=ids[0]).version == 7


def test_the_fingerprint_is_of_the_content_and_not_of_the_id():
    same_content = EVENT._replace(event_id=new_event_id())
    assert fingerprint_of(same_content) == fingerprint_of(EVENT)


def test_the_fingerprint_is_of_all_events_in_their_order():
    other, timed = EVENT._replace(latency_ms=Decimal("812.5")), EVENT._replace(occurred_at_ms=0)
    batches = [[EVENT], [other], [timed], [EVENT, EVENT], [EVENT, other], [other, EVENT], [EVENT, EVENT, EVENT]]
    assert len({fingerprint_of(*batch) for batch in batches}) == len(batches)


def fingerprint_of(*batch: Event) -> bytes:
    return fingerprint([encode_event(event) for event in batch])

"""The batch endpoint as an ordinary client sees it: all events or none, one Idempotency-Key, every event charged."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from threading import Barrier
from typing import Any

import httpx
import pytest
import redis

from app.core.database import connect
from app.core.redis_client import connect as connect_redis
from app.core.stream.buffer import IDEMPOTENCY_PREFIX, EventBuffer
from app.core.stream.state import STREAM
from app.web.api.schemas import EventSchema
from tests.api_keys import create_key
from tests.batches import BATCH_PATH, EVENT, PATH, PROMPT_ID, Buffered, bearer, events, post
from tests.recount import assert_rollups_equal_a_recount
from worker.store import EventStore, decode_entry

pytestmark = pytest.mark.usefixtures("clean_redis")


def details_of(answer: httpx.Response) -> list[tuple[str, str]]:
    error = answer.json()["error"]
    assert (answer.status_code, error["code"]) == (400, "VALIDATION_ERROR")
    return [(detail["field"], detail["message"]) for detail in error["details"]]


def bad_fields(answer: httpx.Response) -> list[str]:
    return [field for field, _ in details_of(answer)]


@pytest.mark.parametrize("count", [1, 2, 1_000])
def test_it_buffers_every_event_in_order_and_answers_204(client: httpx.Client, buffered: Buffered, count: int) -> None:
    answer = post(client, events(count))
    assert (answer.status_code, answer.content) == (204, b"")
    assert "Idempotent-Replayed" not in answer.headers
    found = buffered()
    assert [event.latency_ms for event in found] == list(range(count))
    assert len({event.event_id for event in found}) == count


def test_it_keeps_the_fields_of_each_event_as_the_single_endpoint_does(
    client: httpx.Client, buffered: Buffered
) -> None:
    body = {**EVENT, "prompt_id": PROMPT_ID.upper(), "cost_usd": 0.1, "score": -1, "model": "unknown fields are fine"}
    client.post(PATH, json=body)
    client.post(BATCH_PATH, json={"events": [body], "source": "here too"})
    single, batched = buffered()
    assert batched._replace(event_id=single.event_id) == single


def test_one_bad_event_among_a_thousand_stores_nothing(client: httpx.Client, buffered: Buffered) -> None:
    batch = events(1_000)
    batch[617]["score"] = "high"
    assert bad_fields(post(client, batch, **{"Idempotency-Key": "a"})) == ["events[617].score"]
    assert buffered() == []
    assert post(client, events(1), **{"Idempotency-Key": "a"}).status_code == 204


def test_it_names_every_bad_field_of_every_bad_event(client: httpx.Client, buffered: Buffered) -> None:
    bad = {"prompt_id": 1, "latency_ms": -1, "cost_usd": None, "score": True, "timestamp": "now"}
    batch = [EVENT, bad, EVENT, "text", {}, None, [EVENT]]
    assert bad_fields(post(client, batch)) == [
        *(f"events[1].{field}" for field in ("prompt_id", "version_hash")),
        *(f"events[1].{field}" for field in ("latency_ms", "cost_usd", "score", "timestamp")),
        "events[3]",
        *("events[4].prompt_id", "events[4].version_hash"),
        "events[5]",
        "events[6]",
    ]
    assert buffered() == []


def test_a_thousand_bad_events_are_all_named(client: httpx.Client) -> None:
    assert bad_fields(post(client, [{}] * 1_000)) == [
        f"events[{number}].{field}" for number in range(1_000) for field in ("prompt_id", "version_hash")
    ]


def test_it_says_of_a_bad_event_what_the_single_endpoint_says(client: httpx.Client) -> None:
    bad = {"prompt_id": "x", "version_hash": "a\x00", "latency_ms": 1e13, "score": "1"}
    single = details_of(client.post(PATH, json=bad))
    batched = details_of(post(client, [EVENT, bad]))
    assert batched == [(f"events[1].{field}", message) for field, message in single]


@pytest.mark.parametrize("count", [0, 1_001, 300_000])
def test_it_refuses_no_events_and_too_many(client: httpx.Client, buffered: Buffered, count: int) -> None:
    answer = client.post(BATCH_PATH, json={"events": [{}] * count})
    assert details_of(answer) == [("events", "Must have 1 to 1000 events.")]
    assert buffered() == []


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ("{}", "events"),
        ('{"events":null}', "events"),
        ('{"events":{}}', "events"),
        ('{"events":"text"}', "events"),
        ('{"events":1}', "events"),
        ('{"event":[]}', "events"),
        ("[]", "body"),
        ("null", "body"),
        (f'[{{"prompt_id":"{PROMPT_ID}","version_hash":"v"}}]', "body"),
        ("", "body"),
        ('{"events":[', "body"),
        ('{"events":[{"score":NaN}]}', "body"),
        ("[" * 500_000, "body"),
        ('{"events":' + "[" * 200_000 + "]" * 200_000 + "}", "body"),
    ],
    ids=range(14),
)
def test_it_refuses_a_body_of_another_form(client: httpx.Client, buffered: Buffered, body: str, field: str) -> None:
    answer = client.post(BATCH_PATH, content=body, headers={"Content-Type": "application/json"})
    assert bad_fields(answer) == [field]
    assert buffered() == []


def test_it_never_repeats_a_value(client: httpx.Client) -> None:
    secret = "my-secret-value"
    answer = post(client, [{**dict.fromkeys(EventSchema().fields, f"{secret}\x00"), secret: 1}, secret])
    assert answer.status_code == 400
    assert secret not in answer.text


def test_a_repeat_is_answered_and_not_stored(
    client: httpx.Client, buffered: Buffered, redis_client: redis.Redis
) -> None:
    first = post(client, events(50), **{"Idempotency-Key": "a"})
    again = post(client, events(50), **{"Idempotency-Key": "a"})
    assert (first.status_code, again.status_code) == (204, 204)
    assert "Idempotent-Replayed" not in first.headers
    assert again.headers["Idempotent-Replayed"] == "true"
    assert len(buffered()) == 50
    assert len(list(redis_client.scan_iter(f"{IDEMPOTENCY_PREFIX}*"))) == 1


@pytest.mark.parametrize("other", [events(49), events(51), events(50)[::-1], events(50, score=1)], ids=range(4))
def test_an_idempotency_key_with_another_batch_is_refused_and_the_first_stays(
    client: httpx.Client, buffered: Buffered, other: list[Any]
) -> None:
    post(client, events(50), **{"Idempotency-Key": "a"})
    conflict = post(client, other, **{"Idempotency-Key": "a"})
    assert (conflict.status_code, conflict.json()["error"]["code"]) == (400, "IDEMPOTENCY_KEY_REUSED")
    assert [event.latency_ms for event in buffered()] == list(range(50))


def test_single_events_and_batches_share_their_idempotency_keys(client: httpx.Client, buffered: Buffered) -> None:
    key = {"Idempotency-Key": "a"}
    client.post(PATH, json=EVENT, headers=key)
    assert post(client, [EVENT], **key).headers["Idempotent-Replayed"] == "true"
    assert post(client, [EVENT, EVENT], **key).json()["error"]["code"] == "IDEMPOTENCY_KEY_REUSED"
    assert len(buffered()) == 1


def test_fifty_clients_with_the_same_batch_store_it_once(web: str, ingest_key: str, buffered: Buffered) -> None:
    start = Barrier(50)
    batch = {"events": events(100)}

    def retry(_: int) -> tuple[int, str | None]:
        start.wait(timeout=30)
        headers = {"Authorization": f"Bearer {ingest_key}", "Idempotency-Key": "once"}
        answer = httpx.post(web + BATCH_PATH, json=batch, headers=headers, timeout=60)
        return answer.status_code, answer.headers.get("Idempotent-Replayed")

    with ThreadPoolExecutor(50) as clients:
        answers = list(clients.map(retry, range(50)))
    assert sorted(answers, key=str) == [(204, "true")] * 49 + [(204, None)]
    assert len(buffered()) == 100


def test_a_retry_after_redis_forgot_is_found_stored_event_by_event(
    client: httpx.Client, redis_client: redis.Redis, redis_url: str, database_url: str, clean_database: None
) -> None:
    key = {"Idempotency-Key": "a"} | bearer(database_url)
    assert post(client, events(20), **key).status_code == 204
    for mark in redis_client.scan_iter(f"{IDEMPOTENCY_PREFIX}*"):
        redis_client.delete(mark)
    assert "Idempotent-Replayed" not in post(client, events(20), **key).headers
    assert redis_client.xlen(STREAM) == 40
    with (
        connect_redis(redis_url, timeout_seconds=5) as core_client,
        connect(database_url, application_name="test", statement_timeout_ms=20_000) as database,
    ):
        entries = EventBuffer(core_client).read_new("test", 100)
        report = EventStore().store(database, [decode_entry(entry) for entry in entries])
        assert (report.new, report.conflicting) == (20, [])
        assert assert_rollups_equal_a_recount(database) == 20


def test_a_batch_needs_the_scope_ingest(web: str, database_url: str, buffered: Buffered) -> None:
    headers = {"Authorization": f"Bearer {create_key(database_url, scopes=['read'])}"}
    assert httpx.post(web + BATCH_PATH, json={"events": events(2)}, headers=headers).status_code == 403
    assert httpx.post(web + BATCH_PATH, json={"events": events(2)}).status_code == 401
    assert buffered() == []


def test_a_thousand_long_events_fit_into_a_body(client: httpx.Client, buffered: Buffered) -> None:
    time = datetime.now(UTC).isoformat()
    numbers = dict.fromkeys(("latency_ms", "cost_usd", "score"), 123456789.12345679)
    long = {**EVENT, "version_hash": "x" * 256, "timestamp": time, **numbers}
    assert post(client, [long] * 1_000).status_code == 204
    assert len(buffered()) == 1_000


def test_it_is_no_prompt_that_could_be_read(client: httpx.Client) -> None:
    answer = client.get(BATCH_PATH)
    assert (answer.status_code, answer.headers["Allow"]) == (405, "POST")

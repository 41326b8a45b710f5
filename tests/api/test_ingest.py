"""The ingest endpoint as an ordinary client sees it."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from decimal import Decimal
from threading import Barrier
from typing import Any
from uuid import UUID

import httpx
import pytest
import redis
from rq import Queue
from rq.serializers import JSONSerializer

from app.core.operations.tallies import count_events_by_key
from app.core.stream.buffer import IDEMPOTENCY_PREFIX
from app.core.stream.events import Event
from tests.api_keys import create_key
from tests.waiting import wait_until

PATH = "/api/v1/prompts/analytics"
EVENT: dict[str, Any] = {"prompt_id": "123e4567-e89b-12d3-a456-426614174000", "version_hash": "sha256:0a1b2c"}

Buffered = Callable[[], list[Event]]

pytestmark = pytest.mark.usefixtures("clean_redis")


def test_it_answers_204_without_a_body_once_the_event_is_buffered(client: httpx.Client, buffered: Buffered) -> None:
    answer = client.post(PATH, json=EVENT)
    assert (answer.status_code, answer.content) == (204, b"")
    assert "Content-Type" not in answer.headers
    assert "Idempotent-Replayed" not in answer.headers
    (event,) = buffered()
    assert (str(event.prompt_id), event.version_hash) == (EVENT["prompt_id"], EVENT["version_hash"])
    assert (event.latency_ms, event.cost_usd, event.score) == (None, None, None)


def test_it_takes_the_example_of_the_contract(client: httpx.Client, buffered: Buffered) -> None:
    nil = "00000000-0000-0000-0000-000000000000"
    body = {"prompt_id": nil, "version_hash": "string", "latency_ms": 0, "cost_usd": 0, "score": 0}
    assert client.post(PATH, json=body).status_code == 204
    assert buffered()[0].prompt_id == UUID(nil)


def test_it_keeps_every_digit_of_a_number(client: httpx.Client, buffered: Buffered) -> None:
    cost = "0.1000000000000000055511151231257827021181583404541015625000"
    body = (
        f'{{"prompt_id":"{EVENT["prompt_id"]}","version_hash":"v","cost_usd":{cost},"latency_ms":12.50,"score":-1e-7}}'
    )
    answer = client.post(PATH, content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == 204
    (event,) = buffered()
    assert (str(event.cost_usd), str(event.latency_ms), event.score) == (cost, "12.50", Decimal("-0.0000001"))


def test_it_takes_a_prompt_id_in_any_case(client: httpx.Client, buffered: Buffered) -> None:
    upper = {**EVENT, "prompt_id": str(EVENT["prompt_id"]).upper()}
    assert client.post(PATH, json=upper).status_code == 204
    assert str(buffered()[0].prompt_id) == EVENT["prompt_id"]


def test_it_ignores_unknown_fields(client: httpx.Client, buffered: Buffered) -> None:
    extra = {"model": "m", "project_id": 999, "event_id": "x", "": None, "nested": [{"deep": [1.5, None]}]}
    assert client.post(PATH, json={**EVENT, **extra}).status_code == 204
    assert len(buffered()) == 1


def test_it_stores_the_event_for_the_project_of_the_key(
    client: httpx.Client, database_url: str, buffered: Buffered
) -> None:
    other_key = create_key(database_url, project="other")
    client.post(PATH, json=EVENT)
    client.post(PATH, json=EVENT, headers={"Authorization": f"Bearer {other_key}"})
    first, second = buffered()
    assert first.project_id != second.project_id


def test_two_equal_events_without_an_idempotency_key_are_two_events(client: httpx.Client, buffered: Buffered) -> None:
    client.post(PATH, json=EVENT)
    client.post(PATH, json=EVENT)
    assert len({event.event_id for event in buffered()}) == 2


def test_a_repeat_with_the_same_idempotency_key_is_answered_and_not_stored(
    client: httpx.Client, buffered: Buffered
) -> None:
    headers = {"Idempotency-Key": "a"}
    first = client.post(PATH, json=EVENT, headers=headers)
    again = client.post(PATH, json=EVENT, headers=headers)
    assert (first.status_code, again.status_code) == (204, 204)
    assert "Idempotent-Replayed" not in first.headers
    assert again.headers["Idempotent-Replayed"] == "true"
    assert len(buffered()) == 1


def test_a_repeat_may_be_written_differently_where_it_says_the_same(client: httpx.Client, buffered: Buffered) -> None:
    headers = {"Idempotency-Key": "a", "Content-Type": "application/json"}
    client.post(PATH, content=f'{{"prompt_id":"{EVENT["prompt_id"]}","version_hash":"v"}}', headers=headers)
    other = f'{{ "version_hash":"\\u0076", "x":1, "prompt_id":"{str(EVENT["prompt_id"]).upper()}" }}'
    again = client.post(PATH, content=other, headers=headers)
    assert (again.status_code, again.headers.get("Idempotent-Replayed")) == (204, "true")
    assert len(buffered()) == 1


def test_an_idempotency_key_with_another_body_is_refused_and_the_first_event_stays(
    client: httpx.Client, buffered: Buffered
) -> None:
    headers = {"Idempotency-Key": "a"}
    client.post(PATH, json=EVENT, headers=headers)
    conflict = client.post(PATH, json={**EVENT, "score": 1}, headers=headers)
    assert (conflict.status_code, conflict.json()["error"]["code"]) == (400, "IDEMPOTENCY_KEY_REUSED")
    (event,) = buffered()
    assert event.score is None


def test_projects_do_not_share_idempotency_keys(client: httpx.Client, database_url: str, buffered: Buffered) -> None:
    other = {"Authorization": f"Bearer {create_key(database_url, project='other')}", "Idempotency-Key": "a"}
    client.post(PATH, json=EVENT, headers={"Idempotency-Key": "a"})
    answer = client.post(PATH, json={**EVENT, "score": 1}, headers=other)
    assert (answer.status_code, "Idempotent-Replayed" in answer.headers) == (204, False)
    assert len(buffered()) == 2


@pytest.mark.parametrize("key", ["", "a b", "é".encode("latin-1"), b"a\tb", "x" * 256])
def test_it_refuses_an_idempotency_key_of_another_form(
    client: httpx.Client, buffered: Buffered, key: str | bytes
) -> None:
    headers: list[tuple[bytes, bytes]] = [(b"Idempotency-Key", key if isinstance(key, bytes) else key.encode())]
    answer = client.post(PATH, json=EVENT, headers=headers)
    error = answer.json()["error"]
    assert (answer.status_code, error["code"]) == (400, "VALIDATION_ERROR")
    assert [detail["field"] for detail in error["details"]] == ["Idempotency-Key"]
    assert buffered() == []


@pytest.mark.parametrize("key", ["!", "~" * 255, 'a,b;c="d"'])
def test_it_takes_idempotency_keys_of_visible_ascii_characters(client: httpx.Client, key: str) -> None:
    assert client.post(PATH, json=EVENT, headers={"Idempotency-Key": key}).status_code == 204


def test_an_idempotency_key_is_not_kept_in_redis(client: httpx.Client, redis_client: redis.Redis) -> None:
    client.post(PATH, json=EVENT, headers={"Idempotency-Key": "customer-4711"})
    marks = list(redis_client.scan_iter(f"{IDEMPOTENCY_PREFIX}*"))
    assert len(marks) == 1
    assert b"4711" not in marks[0]
    assert 800_000 < redis_client.pttl(marks[0]) <= 900_000


def test_fifty_clients_with_the_same_retry_store_one_event(web: str, ingest_key: str, buffered: Buffered) -> None:
    start = Barrier(50)

    def retry(_: int) -> tuple[int, str | None]:
        start.wait(timeout=20)
        headers = {"Authorization": f"Bearer {ingest_key}", "Idempotency-Key": "once"}
        answer = httpx.post(web + PATH, json=EVENT, headers=headers, timeout=30)
        return answer.status_code, answer.headers.get("Idempotent-Replayed")

    with ThreadPoolExecutor(50) as clients:
        answers = list(clients.map(retry, range(50)))
    assert sorted(answers, key=str) == [(204, "true")] * 49 + [(204, None)]
    assert len(buffered()) == 1


def test_events_wake_a_worker_with_one_job_a_second(client: httpx.Client, redis_client: redis.Redis) -> None:
    started = time.monotonic()
    for _ in range(20):
        client.post(PATH, json=EVENT)
    seconds = time.monotonic() - started
    jobs = Queue("drain", connection=redis_client, serializer=JSONSerializer).jobs
    assert 1 <= len(jobs) <= 1 + seconds
    assert (jobs[0].func_name, list(jobs[0].args), jobs[0].kwargs) == ("worker.jobs.drain", [], {})
    assert 0 < redis_client.ttl(jobs[0].key) <= 60


def test_an_event_is_answered_though_no_worker_can_be_woken(
    client: httpx.Client, redis_client: redis.Redis, buffered: Buffered
) -> None:
    redis_client.set("rq:queues", "not a set, so RQ fails")
    assert client.post(PATH, json=EVENT).status_code == 204
    assert len(buffered()) == 1


def test_events_are_counted_by_key_but_repeats_are_not(
    client: httpx.Client, redis_client: redis.Redis, database_url: str
) -> None:
    headers = {"Authorization": f"Bearer {create_key(database_url)}", "Idempotency-Key": "once"}
    batch = {"events": [EVENT] * 3}
    answers = [client.post(f"{PATH}/batch", json=batch, headers=headers) for _ in range(2)]
    answers.append(client.post(PATH, json=EVENT, headers={**headers, "Idempotency-Key": "other"}))
    assert [answer.status_code for answer in answers] == [204] * 3
    # not all of them: those of an earlier test may still be on their way
    wait_until(lambda: 4 in count_events_by_key(redis_client, datetime.now(UTC)).values())

"""The read API as an ordinary client sees it."""

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import httpx
import pytest

from app.core.database import connect
from app.core.stream.events import Event, new_event_id
from app.local.postgres import RunningPostgres
from app.web.api.usage_answers import ProjectUsageSchema, PromptUsageSchema
from tests.api_keys import create_key
from tests.usage_recount import store_in_batches
from worker.store import ReceivedEvent

PATH = "/api/v1/prompts/analytics"
PROMPT = "123e4567-e89b-12d3-a456-426614174000"
OTHER_PROMPT = "00000000-0000-0000-0000-000000000000"
NOTHING = {
    "events": 0,
    "cost_usd": {"count": 0, "sum": None, "mean": None},
    "latency_ms": dict.fromkeys(("mean", "min", "max", "p50", "p95", "p99"), None) | {"count": 0},
    "score": {"count": 0, "mean": None, "min": None, "max": None},
}

Store = Callable[..., None]


@pytest.fixture
def read_key(database_url: str, clean_database: None, clean_redis: None) -> str:
    return create_key(database_url, scopes=["read"])


@pytest.fixture
def client(web: str, read_key: str) -> Iterator[httpx.Client]:
    """Speaks to the real gunicorn with a key that may read."""
    with httpx.Client(base_url=web, headers={"Authorization": f"Bearer {read_key}"}) as client:
        yield client


@pytest.fixture
def store(database_url: str, read_key: str) -> Iterator[Store]:
    """Stores an event of the key's project: store(age=timedelta(hours=1), cost_usd="0.10")."""
    with connect(database_url, application_name="test", statement_timeout_ms=20_000) as connection:

        def store_one(
            age: timedelta = timedelta(0),
            *,
            prompt: str = PROMPT,
            version: str = "v1",
            project: str = "demo",
            **numbers: str,
        ) -> None:
            row = connection.execute("SELECT id FROM projects WHERE name = %s", [project]).fetchone()
            assert row is not None
            measures: dict[str, Any] = {name: Decimal(number) for name, number in numbers.items()}
            event = Event(new_event_id(), row[0], UUID(prompt), version, **measures)
            time_ms = int((datetime.now(UTC) - age).timestamp() * 1_000)
            store_in_batches(connection, [ReceivedEvent(event, time_ms)], batch_size=1)

        yield store_one


def data_of(answer: httpx.Response) -> Any:
    """The data of a good answer, with exact decimals."""
    assert answer.status_code == 200, answer.text
    body = json.loads(answer.text, parse_float=Decimal)
    assert body["success"] is True
    return body["data"]


def bad_fields(answer: httpx.Response) -> list[str]:
    assert answer.status_code == 400, answer.text
    error = answer.json()["error"]
    assert error["code"] == "VALIDATION_ERROR"
    return [detail["field"] for detail in error["details"]]


def test_it_tells_what_a_project_used(client: httpx.Client, store: Store) -> None:
    store(latency_ms="100", cost_usd="0.10", score="-1")
    store(latency_ms="300.50", cost_usd="0.2000000000000000000000000000000001", prompt=OTHER_PROMPT)
    store(timedelta(hours=2), score="0.5", version="v2")
    store(timedelta(hours=25), cost_usd="1000")
    data = data_of(client.get(PATH))
    totals = data["totals"]
    assert totals["events"] == 3
    assert totals["cost_usd"]["count"] == 2
    assert totals["cost_usd"]["sum"] == Decimal("0.3000000000000000000000000000000001")
    assert float(totals["cost_usd"]["mean"]) == pytest.approx(0.15)
    latency = totals["latency_ms"]
    assert (latency["count"], latency["mean"], latency["min"], latency["max"]) == (
        2,
        Decimal("200.25"),
        100,
        Decimal("300.5"),
    )
    assert float(latency["p50"]) == pytest.approx(100, rel=0.01)
    assert float(latency["p99"]) == pytest.approx(300.5, rel=0.01)
    assert totals["score"] == {"count": 2, "mean": Decimal("-0.25"), "min": -1, "max": Decimal("0.5")}
    assert [(prompt["prompt_id"], prompt["events"]) for prompt in data["prompts"]] == [(PROMPT, 2), (OTHER_PROMPT, 1)]
    assert data["truncated"] is False


def test_it_tells_what_a_prompt_used(client: httpx.Client, store: Store) -> None:
    store(cost_usd="0.1", version="a")
    store(cost_usd="0.2", version="b")
    store(cost_usd="0.3", version="b")
    store(cost_usd="7", prompt=OTHER_PROMPT)
    data = data_of(client.get(f"{PATH}/{PROMPT.upper()}"))
    assert data["prompt_id"] == PROMPT
    assert data["totals"]["cost_usd"]["sum"] == Decimal("0.6")
    assert [(version["version_hash"], version["events"]) for version in data["versions"]] == [("b", 2), ("a", 1)]
    assert data["versions"][0]["cost_usd"]["sum"] == Decimal("0.5")
    assert sum(point["events"] for point in data["series"]) == 3


def test_by_default_it_answers_for_the_last_24_hours_by_hour(client: httpx.Client) -> None:
    before = datetime.now(UTC)
    data = data_of(client.get(PATH))
    after = datetime.now(UTC)
    start, end = datetime.fromisoformat(data["from"]), datetime.fromisoformat(data["to"])
    assert before <= end < after + timedelta(minutes=1)
    assert (start.second, end.second, end - start) == (0, 0, timedelta(hours=24, minutes=1))
    assert data["interval"] == "hour"
    assert len(data["series"]) in (25, 26)
    assert data["from"].endswith("Z")


def test_without_from_the_range_ends_where_to_says(client: httpx.Client) -> None:
    data = data_of(client.get(PATH, params={"to": "2026-01-31T12:00:00+02:00"}))
    assert (data["from"], data["to"]) == ("2026-01-30T10:00:00Z", "2026-01-31T10:00:00Z")


def test_it_says_the_range_that_it_really_covers(client: httpx.Client) -> None:
    data = data_of(client.get(PATH, params={"from": "2026-01-01T00:30:00.5Z", "to": "2026-01-05T22:01:00Z"}))
    assert (data["from"], data["to"], data["interval"]) == ("2026-01-01T00:00:00Z", "2026-01-05T23:00:00Z", "day")
    assert [point["start"] for point in data["series"]] == [f"2026-01-0{day}T00:00:00Z" for day in range(1, 6)]


def test_it_counts_by_minute_where_asked(client: httpx.Client, store: Store) -> None:
    store(timedelta(minutes=5))
    store(timedelta(minutes=5))
    start = datetime.now(UTC) - timedelta(minutes=10)
    data = data_of(client.get(PATH, params={"from": start.isoformat(), "interval": "minute"}))
    assert data["interval"] == "minute"
    assert 10 <= len(data["series"]) <= 12
    assert sum(point["events"] for point in data["series"]) == data["totals"]["events"] == 2


def test_what_has_no_data_is_null_and_every_bucket_is_there(client: httpx.Client) -> None:
    data = data_of(client.get(PATH))
    assert data["totals"] == NOTHING
    assert data["prompts"] == []
    assert all(point == {"start": point["start"], **NOTHING} for point in data["series"])


def test_a_known_prompt_without_events_in_the_range_is_no_error(client: httpx.Client, store: Store) -> None:
    store(timedelta(hours=30))
    data = data_of(client.get(f"{PATH}/{PROMPT}"))
    assert (data["totals"], data["versions"]) == (NOTHING, [])


def test_it_answers_404_for_a_prompt_that_the_project_never_used(client: httpx.Client) -> None:
    answer = client.get(f"{PATH}/{PROMPT}")
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "NOT_FOUND")


@pytest.mark.parametrize(
    "prompt_id",
    [
        "1",
        "latest",
        PROMPT.replace("-", ""),
        f"{{{PROMPT}}}",
        f"urn:uuid:{PROMPT}",
        f"{PROMPT}0",
        PROMPT[:-1] + "g",
        "%00",
    ],
)
def test_it_refuses_a_prompt_id_that_is_no_uuid(client: httpx.Client, prompt_id: str) -> None:
    assert bad_fields(client.get(f"{PATH}/{prompt_id}")) == ["prompt_id"]


def test_projects_do_not_see_each_other(web: str, client: httpx.Client, store: Store, database_url: str) -> None:
    other_key = create_key(database_url, project="other", scopes=["read"])
    store(cost_usd="1")
    store(cost_usd="2", project="other")
    store(cost_usd="4", project="other", prompt=OTHER_PROMPT)
    other = {"Authorization": f"Bearer {other_key}"}
    assert data_of(client.get(PATH))["totals"]["cost_usd"]["sum"] == 1
    assert data_of(httpx.get(web + PATH, headers=other))["totals"]["cost_usd"]["sum"] == 6
    assert data_of(client.get(f"{PATH}/{PROMPT}"))["totals"]["cost_usd"]["sum"] == 1
    assert data_of(httpx.get(f"{web}{PATH}/{PROMPT}", headers=other))["totals"]["cost_usd"]["sum"] == 2
    assert client.get(f"{PATH}/{OTHER_PROMPT}").status_code == 404


@pytest.mark.parametrize(
    ("query", "fields"),
    [
        ("from=", ["from"]),
        ("from=yesterday", ["from"]),
        ("from=1767225600", ["from"]),
        ("from=2026-01-01", ["from"]),
        ("from=2026-01-01T00:00:00", ["from"]),
        ("from=2026-01-01T00:00:00+00:00", ["from"]),
        ("from=2026-02-30T00:00:00Z", ["from"]),
        ("from=2026-01-01T24:00:00Z", ["from"]),
        ("from=2026-01-01T00:00:60Z", ["from"]),
        ("from=2026-W01-1T00:00:00Z", ["from"]),
        ("from=20260101T000000Z", ["from"]),
        ("from=2026-01-01T00:00:00%2B24:00", ["from"]),
        ("from=0001-01-01T00:00:00%2B23:59", ["from"]),
        ("from=1999-12-31T23:59:59Z", ["from"]),
        ("from=٢٠٢٦-01-01T00:00:00Z", ["from"]),
        ("from=2026-01-01T00:00:00Z%00", ["from"]),
        ("from=%FF", ["from"]),
        ("to=9999-12-31T23:59:59Z", ["to"]),
        ("to=2026-01-01T00:00:00", ["to"]),
        ("interval=", ["interval"]),
        ("interval=week", ["interval"]),
        ("interval=Hour", ["interval"]),
        ("from=x&to=y&interval=z", ["from", "to", "interval"]),
        ("from=2026-01-01T00:00:00Z&from=2026-01-01T00:00:00Z", ["from"]),
        ("interval=day&interval=hour", ["interval"]),
        ("form=2026-01-01T00:00:00Z", ["form"]),
        ("from=2026-01-01T00:00:00Z&to=2026-01-01T00:00:00Z", ["from"]),
        ("from=2026-01-02T00:00:00Z&to=2026-01-01T00:00:00Z", ["from"]),
        ("from=2090-01-01T00:00:00Z", ["from"]),
        ("from=2025-01-01T00:00:00Z&to=2026-03-01T00:00:00Z", ["from"]),
        ("from=2026-01-01T00:00:00Z&to=2026-01-01T01:00:00Z&interval=minute", ["interval"]),
        ("from=2026-01-01T00:00:00Z&to=2026-04-01T00:00:00Z&interval=hour", ["interval"]),
    ],
)
def test_it_refuses_a_question_that_is_not_clear(client: httpx.Client, query: str, fields: list[str]) -> None:
    assert bad_fields(client.get(f"{PATH}?{query}")) == fields
    assert bad_fields(client.get(f"{PATH}/{PROMPT}?{query}")) == fields


def test_it_never_echoes_what_was_asked(client: httpx.Client) -> None:
    answer = client.get(PATH, params={"from": "<script>", "interval": "<script>"})
    assert sorted(bad_fields(answer)) == ["from", "interval"]
    assert "script" not in answer.text


def test_it_refuses_a_key_that_may_only_ingest(web: str, database_url: str, read_key: str) -> None:
    headers = {"Authorization": f"Bearer {create_key(database_url, scopes=['ingest'])}"}
    for path in (PATH, f"{PATH}/{PROMPT}", f"{PATH}?from=nonsense"):
        answer = httpx.get(web + path, headers=headers)
        assert (answer.status_code, answer.json()["error"]["code"]) == (403, "FORBIDDEN")


def test_it_refuses_a_request_without_a_key(web: str) -> None:
    for path in (PATH, f"{PATH}/{PROMPT}", f"{PATH}/nonsense", f"{PATH}?from=nonsense"):
        answer = httpx.get(web + path)
        assert (answer.status_code, answer.json()["error"]["code"]) == (401, "UNAUTHORIZED")


def test_every_answer_carries_the_limit_of_the_key(client: httpx.Client) -> None:
    for answer in (client.get(PATH), client.get(PATH, params={"interval": "x"}), client.get(f"{PATH}/{PROMPT}")):
        assert answer.headers["X-RateLimit-Limit"] == "100000"
        assert "Retry-After" not in answer.headers


def test_a_prompt_can_only_be_read(client: httpx.Client) -> None:
    answer = client.post(f"{PATH}/{PROMPT}", json={})
    assert (answer.status_code, answer.json()["error"]["code"]) == (405, "METHOD_NOT_ALLOWED")


def test_its_answers_are_as_documented(client: httpx.Client, store: Store) -> None:
    store(latency_ms="1.5", cost_usd="0.00001", score="-3")
    store(timedelta(hours=1), version="v2")
    for path, schema in ((PATH, ProjectUsageSchema()), (f"{PATH}/{PROMPT}", PromptUsageSchema())):
        answer = client.get(path)
        assert answer.headers["Content-Type"] == "application/json"
        assert schema.validate(answer.json()["data"]) == {}


def test_it_answers_503_while_postgresql_is_down(client: httpx.Client, postgres: RunningPostgres) -> None:
    assert client.get(PATH).status_code == 200
    postgres.stop()
    try:
        answer = client.get(PATH)
        assert (answer.status_code, answer.json()["error"]["code"]) == (503, "UNAVAILABLE")
        assert 1 <= int(answer.headers["Retry-After"]) <= 60
    finally:
        postgres.restart()
    assert client.get(PATH).status_code == 200

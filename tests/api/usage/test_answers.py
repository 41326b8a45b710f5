"""The read API: what it answers."""

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import httpx
import jsonschema_rs
import pytest

from app.core.database import connect
from app.core.stream.events import Event, new_event_id
from app.web.api.openapi import document
from tests.api_keys import create_key
from tests.usage_questions import PATH, PROMPT
from tests.usage_recount import store_in_batches
from worker.store import ReceivedEvent

OTHER_PROMPT = "00000000-0000-0000-0000-000000000000"


NOTHING = {
    "events": 0,
    "cost_usd": {"count": 0, "sum": None, "mean": None},
    "latency_ms": dict.fromkeys(("mean", "min", "max", "p50", "p95", "p99"), None) | {"count": 0},
    "score": {"count": 0, "mean": None, "min": None, "max": None},
}


Store = Callable[..., None]


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


def test_every_answer_carries_the_limit_of_the_key(client: httpx.Client) -> None:
    for answer in (client.get(PATH), client.get(PATH, params={"interval": "x"}), client.get(f"{PATH}/{PROMPT}")):
        assert answer.headers["X-RateLimit-Limit"] == "100000"
        assert "Retry-After" not in answer.headers


def test_its_answers_are_as_documented(client: httpx.Client, store: Store) -> None:
    store(latency_ms="1.5", cost_usd="0.00001", score="-3")
    store(timedelta(hours=1), version="v2")
    components = json.loads(document())["components"]
    for path, name in ((PATH, "ProjectUsage"), (f"{PATH}/{PROMPT}", "PromptUsage")):
        answer = client.get(path)
        assert answer.headers["Content-Type"] == "application/json"
        schema = {"$ref": f"#/components/schemas/{name}", "components": components}
        jsonschema_rs.validate(schema, answer.json()["data"], validate_formats=True)


@pytest.mark.parametrize("path", [PATH, f"{PATH}/{PROMPT}"])
def test_an_answer_says_how_fresh_it_is(client: httpx.Client, store: Store, path: str) -> None:
    store()
    before = datetime.now(UTC)
    as_of = datetime.fromisoformat(client.get(path).json()["asOf"])
    assert before <= as_of <= datetime.now(UTC)

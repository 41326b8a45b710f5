"""The comparison of two versions: what it answers."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import httpx
import jsonschema_rs
import psycopg
import pytest

from app.core.database import connect
from app.web.api.openapi import document
from tests.api_keys import create_key
from tests.folds import fold_all
from tests.stored_events import an_event, store_events
from tests.usage_questions import PATH, PROMPT
from tests.usage_recount import store_in_batches
from tests.versions import Draw, Traffic, always, around, events_of, passes

COMPARISON = f"{PATH}/{PROMPT}/comparison"
NOT_KNOWN = {"estimate": None, "low": None, "high": None}
SCHEMA = {"$ref": "#/components/schemas/Comparison", "components": json.loads(document())["components"]}

Store = Callable[..., None]


@pytest.fixture
def store(database_url: str, read_key: str) -> Store:
    """Stores events of a version: store("v1", 5, [40] * 5, latency_ms=around(100)) for 40 in each of 5 hours."""

    def store_version(version: str, hours_ago: int, by_hour: list[int], **measures: Draw) -> None:
        hour = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
        traffic = Traffic(version=version, start=hour - timedelta(hours=hours_ago), by_hour=by_hour, **measures)
        with connect(database_url, application_name="test", statement_timeout_ms=20_000) as connection:
            row = connection.execute("SELECT id FROM projects WHERE name = 'demo'").fetchone()
            assert row is not None
            events = events_of(row[0], UUID(PROMPT), traffic, seed=hours_ago + len(version))
            store_in_batches(connection, events, batch_size=10_000)

    return store_version


def compared(client: httpx.Client, **query: str) -> Any:
    """The data of a good answer, which is as documented."""
    answer = client.get(COMPARISON, params=query)
    assert answer.status_code == 200, answer.text
    data = answer.json()["data"]
    jsonschema_rs.validate(SCHEMA, data, validate_formats=True)
    return data


def hashes(data: Any) -> tuple[str, str]:
    return data["baseline"]["version_hash"], data["candidate"]["version_hash"]


def test_it_tells_which_of_two_versions_to_ship(client: httpx.Client, store: Store) -> None:
    store("old", 8, [150] * 8, latency_ms=around(200, 0.1), cost_usd=around(0.010, 0.1), score=passes(0.5))
    store("new", 8, [150] * 8, latency_ms=around(100, 0.1), cost_usd=around(0.012, 0.1))
    data = compared(client)
    assert data["prompt_id"] == PROMPT
    assert (data["kind"], data["decision"], data["reason"]) == ("side_by_side", "mixed", None)
    assert (data["events_needed"], data["days_needed"]) == (None, None)
    measures = data["measures"]
    assert {name: each["verdict"] for name, each in measures.items()} == {
        "cost_usd": "higher",
        "latency_ms": "lower",
        "latency_p95_ms": "lower",
        "score": "too_few",
    }
    assert measures["cost_usd"]["estimate"] == pytest.approx(0.2, abs=0.02)
    assert measures["latency_ms"]["estimate"] == pytest.approx(-0.5, abs=0.02)
    assert measures["latency_p95_ms"]["estimate"] == pytest.approx(-0.5, abs=0.05)
    assert measures["latency_ms"]["low"] < measures["latency_ms"]["estimate"] < measures["latency_ms"]["high"] < 0
    assert measures["score"] == {**NOT_KNOWN, "relative": False, "verdict": "too_few"}
    assert data["margins"] == {"cost_usd": 0.05, "latency_ms": 0.05, "latency_p95_ms": 0.1, "score": 0.02}
    assert data["alpha"] == 0.05


def test_each_version_comes_with_what_it_used(client: httpx.Client, store: Store) -> None:
    store("v1", 30, [10] * 30, cost_usd=always(0.5))
    store("v2", 5, [20] * 5, cost_usd=always(0.25), score=passes(0.5))
    data = compared(client, baseline="v1", candidate="v2")
    old, new = data["baseline"], data["candidate"]
    hour = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    assert old["totals"]["events"] == 50
    assert old["totals"]["cost_usd"] == {"count": 50, "sum": 25.0, "mean": 0.5}
    assert new["totals"]["score"]["count"] == new["totals"]["events"] == 100
    assert datetime.fromisoformat(old["from"]) == datetime.fromisoformat(new["from"])
    assert hour - datetime.fromisoformat(new["from"]) in (timedelta(hours=5), timedelta(hours=6))
    assert datetime.fromisoformat(new["to"]) - datetime.fromisoformat(new["from"]) == timedelta(hours=5)
    assert datetime.fromisoformat(old["first_seen"]) < datetime.fromisoformat(old["from"])


def test_without_parameters_it_is_the_newest_against_the_one_before_it(client: httpx.Client, store: Store) -> None:
    # registered in another order than they began
    for version, hours_ago in (("c", 3), ("a", 9), ("d", 1), ("b", 6)):
        store(version, hours_ago, [5] * hours_ago, cost_usd=always(1))
    assert hashes(compared(client)) == ("c", "d")
    assert hashes(compared(client, candidate="c")) == ("b", "c")
    assert hashes(compared(client, baseline="a")) == ("a", "d")
    assert hashes(compared(client, baseline="d", candidate="a")) == ("d", "a")


def test_it_says_how_much_more_it_takes(client: httpx.Client, store: Store) -> None:
    for version, mean in (("v1", 100.0), ("v2", 104.0)):
        store(version, 10, [60] * 10, latency_ms=around(mean, 0.5))
    data = compared(client)
    assert (data["decision"], data["reason"]["code"]) == ("undecided", "not_clear_yet")
    assert data["events_needed"] > 1_200
    # 1,200 events in 10 hours
    assert data["days_needed"] == pytest.approx(data["events_needed"] / 2_880, rel=0.1)


def test_few_events_tell_nothing(client: httpx.Client, store: Store) -> None:
    for version in ("v1", "v2"):
        store(version, 3, [33] * 3, latency_ms=around(100), score=passes(0.5))
    data = compared(client)
    assert (data["decision"], data["reason"]["code"]) == ("undecided", "too_few_events")
    assert data["reason"]["message"]
    for measure in data["measures"].values():
        assert measure == {**NOT_KNOWN, "relative": measure["relative"], "verdict": "too_few"}


def test_versions_without_hours_in_common_can_not_be_told_apart(client: httpx.Client, store: Store) -> None:
    store("v1", 400, [200] * 5, cost_usd=around(1))
    store("v2", 5, [200] * 5, cost_usd=around(2))
    data = compared(client)
    assert (data["decision"], data["reason"]["code"]) == ("undecided", "no_common_hours")
    assert (data["events_needed"], data["days_needed"]) == (None, None)
    assert (data["baseline"]["from"], data["baseline"]["totals"]["events"]) == (None, 0)


def test_versions_without_a_measure_in_common_can_not_be_told_apart(client: httpx.Client, store: Store) -> None:
    store("v1", 5, [200] * 5, cost_usd=around(1))
    store("v2", 5, [200] * 5, latency_ms=around(100))
    data = compared(client)
    assert (data["decision"], data["reason"]["code"]) == ("undecided", "no_common_measures")


def test_versions_that_followed_one_another_are_compared_before_and_after(client: httpx.Client, store: Store) -> None:
    store("v1", 60, [50] * 30, cost_usd=around(1))
    store("v2", 30, [50] * 30, cost_usd=around(2))
    data = compared(client)
    assert data["kind"] == "before_after"
    assert data["measures"]["cost_usd"]["estimate"] == pytest.approx(1, abs=0.1)


def test_one_day_before_and_after_tells_nothing_yet(client: httpx.Client, store: Store) -> None:
    store("v1", 29, [50] * 24, cost_usd=around(1))
    store("v2", 5, [200] * 5, cost_usd=around(2))
    data = compared(client)
    assert (data["kind"], data["decision"], data["reason"]["code"]) == ("before_after", "undecided", "too_few_days")
    cost = data["measures"]["cost_usd"]
    assert (cost["low"], cost["high"], cost["verdict"]) == (None, None, "none")


def test_a_tail_without_bounds_is_not_for_want_of_days(client: httpx.Client, store: Store) -> None:
    for version, hours_ago in (("v1", 72), ("v2", 36)):
        store(version, hours_ago, [5] * 36, latency_ms=around(100))
    data = compared(client)
    assert data["measures"]["latency_p95_ms"]["high"] is None
    assert (data["kind"], data["reason"]["code"]) == ("before_after", "not_clear_yet")


def test_it_answers_for_versions_of_the_very_same_minute(client: httpx.Client, store: Store) -> None:
    for version in ("v1", "v2"):
        store(version, 0, [5000], cost_usd=always(0), score=always(1))
    data = compared(client)
    assert hashes(data) == ("v1", "v2")
    assert data["decision"] == "no_difference"
    assert {name: data["measures"][name]["estimate"] for name in ("cost_usd", "score")} == {"cost_usd": 0, "score": 0}


def test_a_version_that_begins_to_cost_something_costs_more(client: httpx.Client, store: Store) -> None:
    store("free", 5, [100] * 5, cost_usd=always(0))
    store("paid", 5, [100] * 5, cost_usd=around(0.01))
    data = compared(client, baseline="free", candidate="paid")
    assert data["measures"]["cost_usd"] == {**NOT_KNOWN, "relative": True, "verdict": "higher"}
    assert data["decision"] == "worse"
    data = compared(client, baseline="paid", candidate="free")
    assert (data["measures"]["cost_usd"]["verdict"], data["decision"]) == ("lower", "better")


def test_numbers_smaller_than_any_double_do_not_break_it(client: httpx.Client, store: Store, database_url: str) -> None:
    for version in ("v1", "v2"):
        store(version, 5, [100] * 5, cost_usd=around(1), score=passes(0.5))
    with psycopg.connect(database_url) as connection:
        row = connection.execute("SELECT id FROM projects WHERE name = 'demo'").fetchone()
    assert row is not None
    tiny = an_event(row[0], prompt=UUID(PROMPT), version="v1", cost_usd="1e-390", score="-1e-200")
    store_events(database_url, [tiny, an_event(row[0], prompt=UUID(PROMPT), version="v2", cost_usd="1e-170")])
    verdicts = {name: compared(client)["measures"][name]["verdict"] for name in ("cost_usd", "score")}
    assert verdicts == {"cost_usd": "none", "score": "none"}


def test_damaged_histograms_take_only_the_tail_away(client: httpx.Client, store: Store, database_url: str) -> None:
    for version in ("v1", "v2"):
        store(version, 5, [100] * 5, latency_ms=around(100))
    with connect(database_url, application_name="test", statement_timeout_ms=20_000) as connection:
        fold_all(connection)
        connection.execute("UPDATE rollups SET latency_histogram = '\\x010203' WHERE grain = 'hour'")
    data = compared(client)
    verdicts = {name: data["measures"][name]["verdict"] for name in ("latency_ms", "latency_p95_ms")}
    assert verdicts == {"latency_ms": "none", "latency_p95_ms": "too_few"}


def test_projects_do_not_compare_each_others_versions(
    web: str, client: httpx.Client, store: Store, database_url: str
) -> None:
    store("v1", 2, [5, 5])
    store("v2", 2, [5, 5])
    other = create_key(database_url, project="other", scopes=["read"])
    answer = httpx.get(web + COMPARISON, headers={"Authorization": f"Bearer {other}"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "NOT_FOUND")
    assert client.get(COMPARISON).status_code == 200


def test_a_sparse_measure_keeps_a_decision_waiting_until_it_is_left_out(
    client: httpx.Client, store: Store, database_url: str
) -> None:
    for version, cost in (("old", 0.012), ("new", 0.010)):
        store(version, 8, [150] * 8, cost_usd=around(cost, 0.1))
        store(version, 8, [15] * 8, score=passes(0.5))
    waiting = compared(client)
    assert (waiting["decision"], waiting["reason"]["code"]) == ("undecided", "not_clear_yet")
    with psycopg.connect(database_url) as connection:
        connection.execute("INSERT INTO comparison_margins SELECT id, 0, 0.05, 0.05, 0.1, NULL FROM projects")
    decided = compared(client)
    assert (decided["decision"], decided["margins"]["score"]) == ("better", None)
    assert decided["measures"]["score"] == waiting["measures"]["score"]
    assert decided["measures"]["score"]["verdict"] == "none"

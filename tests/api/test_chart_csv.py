"""The values of charts as CSV: exactly what is drawn, by bucket, in UTC."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import httpx
import pytest

from tests.api.test_csv_downloads import rows_of
from tests.prompt_page import PATH, store_two_versions
from tests.stored_events import an_event, store_events

PROJECT = "/dashboard/chart.csv"
PROMPT = f"{PATH}/chart.csv"

pytestmark = pytest.mark.usefixtures("clean_redis")


def test_costs_have_every_digit_and_their_hours(database_url: str, project_id: int, member: httpx.Client):
    exact = Decimal("0.1234567890123456789")
    store_events(
        database_url,
        [
            an_event(project_id, timedelta(hours=2), cost_usd=f"{exact}"),
            an_event(project_id, timedelta(hours=2), cost_usd="1"),
        ],
    )
    rows = rows_of(member, PROJECT, chart="cost", range="24h")
    costs = {datetime.fromisoformat(row["bucket_start"]): Decimal(row["cost_usd"]) for row in rows}
    ((hour, cost),) = [each for each in costs.items() if each[1]]
    assert cost == exact + 1
    assert hour <= datetime.now(UTC) - timedelta(hours=2) <= hour + timedelta(hours=1, minutes=1)
    assert {
        datetime.fromisoformat(row["bucket_end"]) - datetime.fromisoformat(row["bucket_start"]) for row in rows
    } == {timedelta(hours=1)}
    assert rows[0]["bucket_start"].endswith("Z")
    assert [row["complete"] for row in rows][-2:] == ["yes", "no"]


def test_each_chart_of_a_project_has_its_columns(database_url: str, project_id: int, member: httpx.Client):
    store_events(database_url, [an_event(project_id, latency_ms="100", score="0.5")])
    columns = {
        chart: list(rows_of(member, PROJECT, chart=chart)[-1])[3:] for chart in ("events", "cost", "latency", "score")
    }
    assert columns == {
        "events": ["events"],
        "cost": ["cost_usd"],
        "latency": ["p50_latency_ms", "p95_latency_ms"],
        "score": ["mean_score"],
    }
    last = rows_of(member, PROJECT, chart="latency")[-1]
    assert float(last["p50_latency_ms"]) == pytest.approx(100, rel=0.01)


def test_the_lines_of_a_prompt_are_those_of_its_versions(database_url: str, project_id: int, member: httpx.Client):
    store_two_versions(database_url, project_id, newer="=2+3")
    rows = rows_of(member, PROMPT, metric="events", range="24h")
    assert {row["version_hash"] for row in rows} == {"'=2+3", "v1"}
    counts = {"'=2+3": 0, "v1": 0}
    for row in rows:
        counts[row["version_hash"]] += int(row["events"])
    assert counts == {"'=2+3": 150, "v1": 150}


def test_a_gap_is_an_empty_cell(database_url: str, project_id: int, member: httpx.Client):
    store_events(database_url, [an_event(project_id, timedelta(hours=3), cost_usd="2")])
    costs = [row["cost_per_event_usd"] for row in rows_of(member, PROMPT, metric="cost", range="24h")]
    assert max(costs) == "2.0"
    assert costs.count("") == len(costs) - 1


@pytest.mark.parametrize(
    ("address", "status"),
    [
        (f"{PROJECT}?chart=nonsense", 404),
        (f"{PROJECT}?chart=cost&range=nonsense", 400),
        (f"{PROMPT}?metric=nonsense", 404),
        (f"{PROMPT}?metric=cost&from=x", 400),
        (f"{PROMPT}?metric=cost&candidate=none", 404),
    ],
)
def test_what_makes_no_sense_is_no_file(
    database_url: str, project_id: int, member: httpx.Client, address: str, status: int
):
    store_events(database_url, [an_event(project_id)])
    answer = member.get(f"{address}&project=1")
    assert answer.status_code == status
    assert "text/html" in answer.headers["Content-Type"]


@pytest.mark.parametrize("path", ["/dashboard/latencies.csv", f"{PATH}/latencies.csv"])
def test_the_bars_of_a_distribution_are_shares_of_all_events(
    database_url: str, project_id: int, member: httpx.Client, path: str
):
    latencies = ["100"] * 3 + ["900"]
    store_events(database_url, [an_event(project_id, timedelta(minutes=5), latency_ms=each) for each in latencies])
    rows = rows_of(member, path)
    assert sum(float(row["share"]) for row in rows) == pytest.approx(1)
    assert float(rows[0]["share"]) == pytest.approx(0.75)
    assert float(rows[0]["from_ms"]) <= 100 <= float(rows[0]["to_ms"])


def test_the_pictures_of_a_comparison_are_files_too(database_url: str, project_id: int, member: httpx.Client):
    store_two_versions(database_url, project_id)
    intervals = rows_of(member, f"{PATH}/intervals.csv")
    costs = [row for row in intervals if row["measure"] == "cost_usd"]
    assert float(costs[-1]["estimate"]) == pytest.approx(-0.5, abs=0.01)
    assert (costs[-1]["verdict"], costs[-1]["time"][-1]) == ("lower", "Z")
    swapped = rows_of(member, f"{PATH}/intervals.csv", baseline="v2", candidate="v1")
    assert float([row for row in swapped if row["measure"] == "cost_usd"][-1]["estimate"]) > 0.9
    latencies = rows_of(member, f"{PATH}/compared-latencies.csv")
    assert sum(float(row["baseline"]) for row in latencies) == pytest.approx(1, abs=0.01)


def test_without_anything_to_compare_the_file_has_the_heading_alone(
    database_url: str, project_id: int, member: httpx.Client
):
    store_events(database_url, [an_event(project_id)])
    assert rows_of(member, f"{PATH}/intervals.csv") == []
    assert rows_of(member, f"{PATH}/compared-latencies.csv") == []
    answer = member.get(f"{PATH}/intervals.csv", params={"project": "1", "candidate": "none"})
    assert answer.status_code == 404

"""CSV downloads: what the table shows, and the raw events, which are streamed."""

import csv
import io
import socket
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit
from uuid import UUID

import httpx
import psycopg
import pytest

from app.web.pages.dashboard.raw_events import DOWNLOADS_AT_ONCE
from tests.sign_in import create_project, submit
from tests.stored_events import PROMPT, an_event, store_events
from tests.waiting import wait_until

PROMPTS = "/dashboard/prompts.csv"
VERSIONS = f"/dashboard/prompts/{PROMPT}/versions.csv"
EVENTS = "/dashboard/events.csv"
DOWNLOADS = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'pa-download'"
SNAPSHOTS = "SELECT state, backend_xmin FROM pg_stat_activity WHERE application_name = 'pa-download'"
WEB_PROCESSES = 2

pytestmark = pytest.mark.usefixtures("clean_redis")


def rows_of(client: httpx.Client, path: str, **arguments: str) -> list[dict[str, str]]:
    answer = client.get(path, params={"project": "1", **arguments})
    assert answer.status_code == 200, answer.text
    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["Content-Disposition"].startswith("attachment; filename=")
    return list(csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig"), newline="")))


def open_downloads(database_url: str) -> int:
    with psycopg.connect(database_url) as connection:
        row = connection.execute(DOWNLOADS).fetchone()
    assert row is not None
    return int(row[0])


def snapshots_of_downloads(database_url: str) -> list[tuple[object, ...]]:
    with psycopg.connect(database_url) as connection:
        return connection.execute(SNAPSHOTS).fetchall()


def begun_download(web: str, member: httpx.Client) -> socket.socket:
    """That of a reader who takes little at a time."""
    reader = socket.create_connection((urlsplit(web).hostname, urlsplit(web).port))
    reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
    reader.sendall(
        f"GET {EVENTS}?project=1 HTTP/1.1\r\nHost: {urlsplit(web).netloc}\r\n"
        f"Cookie: session={member.cookies['session']}\r\n\r\n".encode()
    )
    return reader


def test_prompts_are_those_of_the_table_in_its_order(database_url: str, project_id: int, member: httpx.Client):
    store_events(
        database_url,
        [an_event(project_id, prompt=UUID(int=n), cost_usd=f"0.{n}", latency_ms="10", score="1") for n in range(1, 61)],
    )
    found = rows_of(member, PROMPTS, sort="prompt", order="desc", q="0000-0000", page="2")
    assert [UUID(row["prompt_id"]).int for row in found] == list(range(60, 0, -1))
    last_seen = found[-1].pop("last_seen")
    assert datetime.now(UTC) - datetime.fromisoformat(last_seen) < timedelta(minutes=3)
    assert found[-1] == {
        "prompt_id": str(UUID(int=1)),
        "prompt_name": "",
        "events": "1",
        "cost_usd": "0.1",
        "cost_share": f"{0.1 / sum(float(f'0.{n}') for n in range(1, 61)):.6f}".rstrip("0"),
        "mean_score": "1.0",
        "p50_latency_ms": "10.0",
        "p95_latency_ms": "10.0",
        **dict.fromkeys(["changed", "change", "change_low", "change_high"], ""),
    }


def test_versions_have_their_names_and_numbers(database_url: str, project_id: int, member: httpx.Client):
    store_events(
        database_url,
        [
            an_event(project_id, timedelta(minutes=9), version="v1", cost_usd="0.5"),
            *[an_event(project_id, version="v2", latency_ms="20") for _ in range(3)],
        ],
    )
    submit(member, f"/dashboard/prompts/{PROMPT}/versions/name?project=1", {"name": "Zweiter", "version_hash": "v2"})
    newer, older = rows_of(member, VERSIONS)
    assert (newer["version_hash"], newer["version_name"], newer["events"], newer["share"]) == (
        "v2",
        "Zweiter",
        "3",
        "0.75",
    )
    assert (newer["p99_latency_ms"], newer["cost_per_event_usd"]) == ("20.0", "")
    assert (older["version_hash"], older["cost_per_event_usd"]) == ("v1", "0.5")


def test_raw_events_are_all_of_the_range_oldest_first(database_url: str, project_id: int, member: httpx.Client):
    ages = [timedelta(hours=hours) for hours in (1, 30, 2, 50, 20, 24.5, 100)]
    store_events(
        database_url,
        [
            an_event(project_id, age, version=f"v{n}", cost_usd="0.1000000000000000000001", latency_ms="1.50")
            for n, age in enumerate(ages)
        ],
    )
    store_events(database_url, [an_event(create_project(database_url, "other"))])
    submit(member, f"/dashboard/prompts/{PROMPT}/name?project=1", {"name": "Grüße"})
    found = rows_of(member, EVENTS, **{"from": f"{datetime.now(UTC) - timedelta(hours=60):%Y-%m-%dT%H:%M}"})
    assert [row["version_hash"] for row in found] == ["v3", "v1", "v5", "v4", "v2", "v0"]
    assert {row["prompt_name"] for row in found} == {"Grüße"}
    assert {(row["cost_usd"], row["latency_ms"], row["score"]) for row in found} == {
        ("0.1000000000000000000001", "1.50", "")
    }
    assert list(found[0]) == [
        *("occurred_at", "received_at", "prompt_id", "prompt_name", "version_hash", "version_name"),
        *("latency_ms", "cost_usd", "score"),
    ]


def test_a_range_without_events_has_the_heading_alone(member: httpx.Client):
    answer = member.get(EVENTS, params={"project": "1"})
    assert answer.content.decode("utf-8-sig").startswith("occurred_at,")
    assert rows_of(member, EVENTS) == []


@pytest.mark.parametrize("hostile", ["=cmd()", "+1", "-1", "@x", "\uff1dcmd()", " =1"])
def test_no_cell_is_a_formula(database_url: str, project_id: int, member: httpx.Client, hostile: str):
    store_events(database_url, [an_event(project_id, version=hostile, score="-1")])
    submit(member, f"/dashboard/prompts/{PROMPT}/name?project=1", {"name": hostile.strip()})
    for path in (PROMPTS, VERSIONS, EVENTS):
        for row in rows_of(member, path):
            texts = [row[name] for name in ("prompt_name", "version_hash") if name in row]
            assert all(text.startswith("'") for text in texts), (path, row)
            assert row.get("score", "-1") == "-1"


def test_a_range_that_is_too_long_is_refused(member: httpx.Client):
    answer = member.get(EVENTS, params={"project": "1", "range": "90d"})
    assert answer.status_code == 400
    assert "at most 31 days" in answer.text
    assert member.get(EVENTS, params={"project": "1", "range": "30d"}).status_code == 200
    assert member.get(EVENTS, params={"project": "1", "from": "nonsense"}).status_code == 400


def test_a_download_ends_when_its_reader_goes_away(web: str, database_url: str, project_id: int, member: httpx.Client):
    store_events(database_url, [an_event(project_id, version="x" * 250) for _ in range(20_000)])
    for _ in range(DOWNLOADS_AT_ONCE * WEB_PROCESSES + 1):
        with begun_download(web, member) as reader:
            assert reader.recv(12) == b"HTTP/1.1 200"
            assert open_downloads(database_url) == 1
        wait_until(lambda: open_downloads(database_url) == 0)
    assert len(rows_of(member, EVENTS)) == 20_000


def test_only_a_few_download_at_once(web: str, database_url: str, project_id: int, member: httpx.Client):
    store_events(database_url, [an_event(project_id, version="x" * 250) for _ in range(20_000)])
    readers = []
    statuses = []
    for _ in range(20):
        reader = begun_download(web, member)
        statuses.append(reader.recv(12)[-3:])
        readers.append(reader)
    try:
        assert set(statuses) == {b"200", b"429"}
        assert open_downloads(database_url) == statuses.count(b"200") <= DOWNLOADS_AT_ONCE * WEB_PROCESSES
    finally:
        for reader in readers:
            reader.close()
    wait_until(lambda: open_downloads(database_url) == 0)


def test_a_reader_who_dawdles_keeps_postgresql_from_no_upkeep(
    web: str, database_url: str, project_id: int, member: httpx.Client
):
    store_events(database_url, [an_event(project_id, version="x" * 250) for _ in range(20_000)])
    with begun_download(web, member) as reader:
        assert reader.recv(12) == b"HTTP/1.1 200"
        wait_until(lambda: snapshots_of_downloads(database_url) == [("idle", None)])

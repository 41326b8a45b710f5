"""/dashboard/system over HTTP: what it tells, to whom, and what can be done about dead letters."""

import csv
import html
import io
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import httpx
import psycopg
import pytest
import redis

from app.core.operations.tallies import DRAINED, REFUSALS, add_counts, bucket_of
from app.core.stream.buffer import STREAM
from app.core.stream.events import Event, encode_event, new_event_id
from app.local.postgres import RunningPostgres
from app.local.redis_server import RunningRedis
from tests.api_keys import create_key
from tests.frozen import frozen
from tests.sign_in import create_project, csrf_token, signed_in_client
from tests.waiting import wait_until

PAGE = "/dashboard/system"
API = "/api/v1/prompts/analytics"
INSERT_DEAD_LETTER = """
INSERT INTO dead_letters (entry_id, payload, reason, received_at, project_id)
VALUES (%s, %s, %s, now() - interval '2 hours', %s) RETURNING id
"""
HOSTILE = b'[1,"<script>alert(1)</script>","\xe2\x80\xae=cmd()",\x00\xff]'

pytestmark = pytest.mark.usefixtures("clean_redis")


@pytest.fixture
def project() -> str:
    return f"system-{uuid4()}"


@pytest.fixture
def project_id(database_url: str, project: str) -> int:
    return create_project(database_url, project)


@pytest.fixture
def admin(web: str, database_url: str, project: str) -> Iterator[httpx.Client]:
    with signed_in_client(web, database_url, project=project) as client:
        yield client


@pytest.fixture
def operator(web: str, database_url: str, project: str) -> Iterator[httpx.Client]:
    with signed_in_client(
        web, database_url, project=project, email=f"operator@{project}.example", is_operator=True
    ) as client:
        yield client


@pytest.fixture
def no_letters(database_url: str) -> None:
    with psycopg.connect(database_url) as connection:
        connection.execute("DELETE FROM dead_letters")


@pytest.fixture
def set_aside(database_url: str, no_letters: None) -> Callable[..., int]:
    """Calling it makes a dead letter and returns its id."""

    def insert(project_id: int | None, payload: bytes = b"x", reason: str = "refused") -> int:
        with psycopg.connect(database_url) as connection:
            row = connection.execute(INSERT_DEAD_LETTER, [str(uuid4()), payload, reason, project_id]).fetchone()
            assert row is not None
            return int(row[0])

    return insert


def letters(database_url: str) -> set[int]:
    with psycopg.connect(database_url) as connection:
        return {row[0] for row in connection.execute("SELECT id FROM dead_letters")}


def entries(redis_client: redis.Redis) -> list[bytes]:
    found: Any = redis_client.xrange(STREAM)
    return [fields[b"e"] for _, fields in found]


def send(client: httpx.Client, path: str, **fields: str) -> httpx.Response:
    return client.post(
        f"{PAGE}/dead-letters/{path}", data={"csrf_token": csrf_token(client)} | fields, follow_redirects=False
    )


def text(answer: httpx.Response) -> str:
    """What a reader of the page reads."""
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", answer.text)).split())


def test_it_tells_how_the_events_flow(admin, redis_client: redis.Redis):
    for number in range(3):
        redis_client.xadd(STREAM, {"e": b"x"}, id=f"{int(datetime.now(UTC).timestamp() * 1_000) - 90_000}-{number}")
    now = bucket_of(datetime.now(UTC).timestamp())
    add_counts(redis_client, DRAINED, {(now, "stored"): 30, (now - 300, "stored"): 600, (now - 7_200, "stored"): 9})
    told = text(admin.get(PAGE))
    assert "In the buffer 3 of at most 1 M" in told
    assert "Age of the oldest 1 m 3" in told
    assert "Stored, last hour 630 2.0 a second" in told
    assert "eviction policy noeviction" in told
    assert "Something needs you" in told
    assert "The oldest buffered event has waited for 9" in told


def test_all_is_well_where_events_flow(admin, no_letters):
    wait_until(lambda: "All is well" in admin.get(PAGE).text)
    told = text(admin.get(PAGE))
    assert "No dead letters" in told
    assert "None in the last 24 hours" in told


def test_it_counts_the_stored_events_of_the_project_alone(admin, operator, database_url, project_id):
    insert = """
        INSERT INTO rollups (project_id, prompt_key, version_key, grain, bucket_start, events, latency_count,
          latency_sum, latency_sum_squares, latency_log_sum, latency_log_sum_squares, latency_histogram, cost_count,
          cost_sum, cost_sum_squares, score_count, score_sum, score_sum_squares)
        VALUES (%s, 0, 0, 'day', '2026-01-01Z', %s, 0, 0, 0, 0, 0, '', 0, 0, 0, 0, 0, 0)
    """
    other = create_project(database_url, f"other-{uuid4()}")
    with psycopg.connect(database_url) as connection:
        connection.execute(insert, [project_id, 1_234])
        connection.execute(insert, [other, 10_000])
    assert "Events stored 1,234 in this project" in text(admin.get(PAGE))
    everywhere = re.search(r"Events stored ([\d,]+) in all projects", text(operator.get(PAGE)))
    assert everywhere is not None
    assert int(everywhere[1].replace(",", "")) >= 11_234


def test_a_member_may_not_see_it(web, database_url, project, set_aside, project_id):
    letter = set_aside(project_id)
    with signed_in_client(web, database_url, project=project, role="member") as member:
        assert member.get(PAGE).status_code == 403
        assert member.get(f"{PAGE}/dead-letters.csv").status_code == 403
        for path in (f"{letter}/replay", f"{letter}/discard", "replay", "discard"):
            assert send(member, path, reason="refused").status_code == 403
    assert letters(database_url) == {letter}


def test_an_admin_sees_and_handles_the_dead_letters_of_the_own_project_only(
    admin, operator, database_url, set_aside, project_id
):
    own = set_aside(project_id, b"own bytes")
    others = {
        set_aside(create_project(database_url, f"other-{uuid4()}"), b"foreign bytes"),
        set_aside(None, b"no project"),
    }
    seen = text(admin.get(PAGE))
    assert "own bytes" in seen
    assert not {"foreign bytes", "no project"} & set(re.findall("own bytes|foreign bytes|no project", seen))
    assert len(admin.get(f"{PAGE}/dead-letters.csv").text.splitlines()) == 2
    for letter in others:
        assert [send(admin, f"{letter}/{action}").status_code for action in ("replay", "discard")] == [404, 404]
    send(admin, "discard", reason="refused")
    assert letters(database_url) == others
    seen = text(operator.get(PAGE))
    assert "foreign bytes" in seen
    assert "no project" in seen
    assert own not in letters(database_url)
    send(operator, "discard", reason="refused")
    assert letters(database_url) == set()


def test_a_replayed_letter_is_in_the_buffer_again_and_its_event_is_stored(
    admin, start, *, database_url, set_aside, project_id, redis_client
):
    payload = encode_event(Event(new_event_id(), project_id, UUID(int=7), "v"))
    letter = set_aside(project_id, payload)
    answer = send(admin, f"{letter}/replay")
    assert answer.status_code == 303
    assert letters(database_url) == set()
    assert entries(redis_client) == [payload]
    start("worker")
    wait_until(lambda: redis_client.xlen(STREAM) == 0, 20)
    with psycopg.connect(database_url) as connection:
        query = "SELECT count(*) FROM events WHERE project_id = %s"
        assert connection.execute(query, [project_id]).fetchone() == (1,)


def test_all_letters_with_a_reason_are_replayed_and_no_others(admin, database_url, set_aside, project_id, redis_client):
    for number in range(3):
        set_aside(project_id, b"%d" % number, "too large")
    kept = set_aside(project_id, b"other", "not an event")
    assert "too large 3" in re.sub("Letters ", "", text(admin.get(PAGE)))
    assert send(admin, "replay", reason="too large").status_code == 303
    assert entries(redis_client) == [b"0", b"1", b"2"]
    assert letters(database_url) == {kept}
    assert "Put back into the buffer: 3." in text(admin.get(PAGE))
    for reason in ("", "too large", "\0", "'; DROP TABLE dead_letters"):
        assert send(admin, "discard", reason=reason).status_code == 303
    assert letters(database_url) == {kept}


def test_a_letter_that_is_not_there_any_more_is_a_404(admin, set_aside, project_id):
    letter = set_aside(project_id)
    assert send(admin, f"{letter}/discard").status_code == 303
    for gone in (letter, 0, 2**63, 10**30):
        assert send(admin, f"{gone}/discard").status_code == 404


def test_a_letter_stays_where_the_buffer_does_not_take_it(admin, database_url, set_aside, project_id, redis_client):
    letter = set_aside(project_id)
    redis_client.config_set("maxmemory", 1)
    answer = send(admin, f"{letter}/replay")
    redis_client.config_set("maxmemory", 0)
    assert answer.status_code in (429, 503)
    assert letters(database_url) == {letter}


def test_the_bytes_of_a_letter_are_shown_without_effect(operator, set_aside):
    set_aside(None, HOSTILE, "=cmd() <b>")
    answer = operator.get(PAGE)
    assert "<script>alert" not in answer.text
    assert "&lt;script&gt;alert" in answer.text
    assert "\\u202e=cmd()" in answer.text
    assert "\\x00\\xff" in answer.text
    assert "<b>" not in answer.text
    (row,) = csv.DictReader(io.StringIO(operator.get(f"{PAGE}/dead-letters.csv").content.decode("utf-8-sig")))
    assert row["reason"].lstrip("'") == "=cmd() <b>"
    assert not row["reason"].startswith("=")
    assert row["bytes"] == str(len(HOSTILE))


def test_no_more_than_the_beginning_of_a_large_letter_is_shown(operator, set_aside):
    set_aside(None, b"a" * 100_000)
    answer = operator.get(PAGE)
    assert "a" * 400 + "…" in answer.text
    assert "a" * 401 not in answer.text


def test_refusals_are_those_of_the_project_and_for_operators_all(
    web, admin, operator, *, database_url, project, project_id, redis_client
):
    now = bucket_of(datetime.now(UTC).timestamp())
    counts = {
        (now, f"{project_id}:RATE_LIMITED"): 5,
        (now - 7_200, f"{project_id}:RATE_LIMITED"): 20,
        (now, "0:UNAUTHORIZED"): 7,
        (now, f"{project_id + 1}:RATE_LIMITED"): 100,
    }
    add_counts(redis_client, REFUSALS, counts)
    assert re.search(r"RATE_LIMITED over [a-z ',]+ 5 25", text(admin.get(PAGE)))
    assert "UNAUTHORIZED" not in admin.get(PAGE).text
    assert re.search(r"RATE_LIMITED over [a-z ',]+ 105 125", text(operator.get(PAGE)))
    assert "UNAUTHORIZED" in operator.get(PAGE).text
    assert refusals_in_csv(admin) == {("RATE_LIMITED", "5", "25")}
    assert refusals_in_csv(operator) == {("RATE_LIMITED", "105", "125"), ("UNAUTHORIZED", "7", "7")}
    key = create_key(database_url, project=project)
    httpx.post(web + API, json={}, headers={"Authorization": f"Bearer {key}"})
    wait_until(lambda: "VALIDATION_ERROR" in admin.get(PAGE).text)


def refusals_in_csv(client: httpx.Client) -> set[tuple[str, str, str]]:
    rows = csv.DictReader(io.StringIO(client.get(f"{PAGE}/refusals.csv").content.decode("utf-8-sig")))
    return {(row["code"], row["last_hour"], row["last_24h"]) for row in rows}


def test_a_full_redis_does_not_hide_that_it_is_full(admin, redis_client: redis.Redis):
    redis_client.config_set("maxmemory", 1)
    wait_until(lambda: "Redis is out of memory" in admin.get(PAGE).text, timeout_seconds=5)
    redis_client.config_set("maxmemory", 0)


@pytest.mark.parametrize("server", ["redis_server"])
def test_a_redis_that_hangs_is_told_beside_what_postgresql_knows(admin, set_aside, project_id, request, server):
    set_aside(project_id, b"own bytes")
    hanging: RunningRedis | RunningPostgres = request.getfixturevalue(server)
    with frozen(hanging.pid):
        told = text(admin.get(PAGE))
    assert "Redis did not answer" in told
    assert "own bytes" in told
    assert "Not known now" in told

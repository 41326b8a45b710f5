"""/dashboard/system: whether events flow, and what was refused."""

import csv
import io
import re
from datetime import UTC, datetime
from uuid import uuid4

import httpx
import psycopg
import pytest
import redis

from app.core.operations.tallies import DRAINED, REFUSALS, add_counts, five_minutes_of
from app.core.stream.state import STREAM
from app.local.postgres import RunningPostgres
from app.local.redis_server import RunningRedis
from tests.api_keys import create_key
from tests.frozen import frozen
from tests.sign_in import create_project, signed_in_client
from tests.system_page import PAGE, letters, send, text
from tests.waiting import wait_until

API = "/api/v1/prompts/analytics"


pytestmark = pytest.mark.usefixtures("clean_redis")


def test_it_tells_how_the_events_flow(admin, redis_client: redis.Redis):
    for number in range(3):
        redis_client.xadd(STREAM, {"e": b"x"}, id=f"{int(datetime.now(UTC).timestamp() * 1_000) - 90_000}-{number}")
    now = five_minutes_of(datetime.now(UTC).timestamp())
    add_counts(redis_client, DRAINED, {(now, "stored"): 30, (now - 300, "stored"): 600, (now - 7_200, "stored"): 9})
    # checks are up to a second old, and may be those that another test has asked for
    wait_until(lambda: "Something needs you" in admin.get(PAGE).text)
    told = text(admin.get(PAGE))
    assert "In the buffer 3 of at most 1 M" in told
    assert "Age of the oldest 1 m 3" in told
    assert "Stored, last hour 630 2.0 a second" in told
    assert "eviction policy noeviction" in told
    assert "Something needs you" in told
    assert "The oldest buffered event has waited for 9" in told
    assert 'href="/docs/runbook#buffer"' in admin.get(PAGE).text


def test_what_is_shortened_has_all_its_digits_at_hand(admin, redis_client: redis.Redis):
    now = five_minutes_of(datetime.now(UTC).timestamp())
    add_counts(redis_client, DRAINED, {(now, "stored"): 1_234_567})
    page = admin.get(PAGE).text
    assert "Stored, last hour 1.23 M exactly 1,234,567" in text(admin.get(PAGE))
    assert '<span title="1,234,567">1.23' in page
    assert '<span title="1,000,000">1' in page, "the most that the buffer takes"
    assert re.search(r'<span title="[\d,]+ bytes">[\d.]+ [KMG]iB', page), "the memory of Redis"


def test_all_is_well_where_events_flow(admin, no_letters):
    wait_until(lambda: "All is well" in admin.get(PAGE).text)
    told = text(admin.get(PAGE))
    assert "No dead letters" in told
    assert "None in the last 24 hours" in told
    links = set(re.findall(r'href="(/docs/[^"]+)"', admin.get(PAGE).text))
    assert links == {"/docs/runbook", "/docs/runbook#dead_letters", "/docs/runbook#refusals"}


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
    # other tests may have stored millions in theirs, which are shortened: 1.23 M exactly 1,234,567
    everywhere = re.search(
        r"Events stored (?:[\d.]+ [kMG] exactly )?([\d,]+) in all projects", text(operator.get(PAGE))
    )
    assert everywhere is not None
    assert int(everywhere[1].replace(",", "")) >= 11_234


def test_it_tells_what_left_no_trace_in_the_project_alone(admin, operator, database_url, project_id):
    insert = """
        INSERT INTO series (series, project_id, hour, acknowledged) VALUES (%s, %s, '2026-01-02T03:00Z', %s)
    """
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("DELETE FROM series")
        other = create_project(database_url, f"other-{uuid4()}")
        connection.execute(insert, [f"other {other}", other, "{[1,1001)}"])
        assert "Untraced" not in text(admin.get(PAGE))
        connection.execute(insert, [f"own {project_id}", project_id, "{[1,6)}"])
    seen = admin.get(PAGE)
    assert "Untraced 5 acknowledged since 2 Jan 03:00 UTC and taken by somebody who writes nothing down." in text(seen)
    assert 'href="/docs/runbook#untraced"' in seen.text
    assert "Untraced 1,005 " in text(operator.get(PAGE))


def test_a_member_may_not_see_it(web, database_url, project, set_aside, project_id):
    letter = set_aside(project_id)
    with signed_in_client(web, database_url, project=project, role="member") as member:
        assert member.get(PAGE).status_code == 403
        assert member.get(f"{PAGE}/dead-letters.csv").status_code == 403
        for path in (f"{letter}/replay", f"{letter}/discard", "replay", "discard"):
            assert send(member, path, reason="refused").status_code == 403
    assert letters(database_url) == {letter}


def test_refusals_are_those_of_the_project_and_for_operators_all(
    web, admin, operator, *, database_url, project, project_id, redis_client
):
    now = five_minutes_of(datetime.now(UTC).timestamp())
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

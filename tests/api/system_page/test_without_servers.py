"""/dashboard/system while PostgreSQL or Redis is away, and what it calls well."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime

import httpx
import pytest
import redis

from app.core.stream.state import STREAM
from app.local.postgres import RunningPostgres
from app.local.redis_server import RunningRedis
from app.web.services import OF_PEOPLE
from tests.frozen import frozen
from tests.sign_in import signed_in_client
from tests.system_page import PAGE, text
from tests.waiting import wait_until

pytestmark = pytest.mark.usefixtures("clean_redis")

HEADING = 'id="checks-heading">'


@pytest.fixture
def stopped_postgres(postgres: RunningPostgres) -> Iterator[None]:
    postgres.stop()
    yield
    postgres.restart()


def test_it_is_not_all_well_with_dead_letters(admin: httpx.Client, set_aside, project_id: int):
    wait_until(lambda: f"{HEADING}All is well" in admin.get(PAGE).text)
    set_aside(project_id)
    told = admin.get(PAGE)
    assert f"{HEADING}Something needs you" in told.text
    assert "Set aside Accepted events were set aside, because they could not be stored: 1." in text(told)
    assert 'id="health" data-state="delayed"' in told.text


def test_dead_letters_of_other_projects_are_not_an_admins(admin: httpx.Client, operator: httpx.Client, set_aside):
    set_aside(None)
    wait_until(lambda: f"{HEADING}All is well" in admin.get(PAGE).text)
    assert f"{HEADING}Something needs you" in operator.get(PAGE).text


def test_events_that_are_late_are_told(admin: httpx.Client, no_letters: None, redis_client: redis.Redis):
    redis_client.xadd(STREAM, {"e": b"x"}, id=f"{int(datetime.now(UTC).timestamp() * 1_000) - 12_000}-0")
    told = admin.get(PAGE)
    assert f"{HEADING}Events are late" in told.text
    assert "Late Accepted events wait to be stored: 1." in text(told)


def test_without_postgresql_it_says_so_and_how_much_waits(
    admin: httpx.Client,
    redis_client: redis.Redis,
    *,
    set_aside,
    project_id: int,
    project: str,
    postgres: RunningPostgres,
):
    set_aside(project_id, b"own bytes")
    redis_client.xadd(STREAM, {"e": b"x"}, id=f"{int(datetime.now(UTC).timestamp() * 1_000) - 90_000}-0")
    postgres.stop()
    try:
        answer = admin.get(PAGE, timeout=30)
    finally:
        postgres.restart()
    assert answer.status_code == 200
    told = text(answer)
    assert "PostgreSQL answers: no. PostgreSQL did not answer." in told
    assert "wait in Redis: 1, the oldest for 1 m 3" in told
    assert "OK Redis answers" in told
    assert f"{HEADING}Something needs you" in answer.text
    # nobody knows any more who may see these
    assert not {word for word in ("own bytes", project, f"admin@{project}", "csrf_token") if word in answer.text}


def test_without_both_it_says_so(admin: httpx.Client, redis_server: RunningRedis, stopped_postgres: None):
    redis_server.stop()
    told = text(admin.get(PAGE, timeout=30))
    assert "Redis did not answer" in told
    assert "PostgreSQL did not answer" in told
    assert "Redis does not answer either" in told


def test_a_postgresql_that_hangs_does_not_hide_the_page(admin: httpx.Client, postgres: RunningPostgres):
    assert admin.get(PAGE).status_code == 200
    with frozen(postgres.pid):
        wait_until(lambda: "PostgreSQL did not answer" in admin.get(PAGE, timeout=30).text, timeout_seconds=60)
    wait_until(lambda: "Dead letters" in admin.get(PAGE, timeout=30).text, timeout_seconds=60)


def test_a_postgresql_that_is_away_is_not_waited_for_once_that_is_known(admin: httpx.Client, stopped_postgres: None):
    assert admin.get(PAGE, timeout=30).status_code == 200
    times = []
    for _ in range(2):
        # for as long as whoever refreshes the page lets it be
        assert admin.get("/dashboard", params={"project": "1"}, timeout=30).status_code == 503
        began_at = time.monotonic()
        assert "PostgreSQL did not answer" in admin.get(PAGE, timeout=30).text
        times.append(time.monotonic() - began_at)
    assert min(times) < OF_PEOPLE.connection_seconds


def test_members_and_strangers_get_no_more_than_that_without_postgresql(
    web: str, database_url: str, *, project: str, stopped_postgres_after_sign_in: httpx.Client
):
    client = stopped_postgres_after_sign_in
    assert client.get(PAGE, timeout=30).status_code == 200
    assert client.get("/dashboard/system/refusals.csv", timeout=30).status_code == 503
    assert client.post(f"{PAGE}/dead-letters/discard", data={"reason": "x"}, timeout=30).status_code == 503
    stranger = httpx.get(web + PAGE)
    assert (stranger.status_code, stranger.headers["Location"].split("?")[0]) == (303, "/login")
    forged = httpx.get(web + PAGE, cookies={"session": "eyJzaWQiOiJ4In0.x.y"})
    assert forged.status_code == 303


@pytest.fixture
def stopped_postgres_after_sign_in(
    web: str, database_url: str, project: str, postgres: RunningPostgres
) -> Iterator[httpx.Client]:
    with signed_in_client(web, database_url, project=project, role="member") as client:
        postgres.stop()
        yield client
        postgres.restart()


def test_other_pages_say_which_server_is_away_and_lead_on(admin: httpx.Client, stopped_postgres: None):
    answer = admin.get("/dashboard/members", timeout=30)
    assert answer.status_code == 503
    assert 'href="/docs/runbook#postgresql">PostgreSQL in the runbook' in answer.text
    assert 'href="/dashboard/system"' in answer.text

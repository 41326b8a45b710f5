"""The light in the header of every page, and up to when the numbers go."""

import re
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import httpx
import psycopg
import pytest
import redis

from app.core.stream.state import STREAM
from app.local.postgres import RunningPostgres
from app.local.redis_server import RunningRedis
from tests.frozen import frozen
from tests.sign_in import create_project, signed_in_client
from tests.system_page import INSERT_DEAD_LETTER
from tests.waiting import wait_until

PAGES = ("/dashboard", "/dashboard/api-keys", "/dashboard/members", "/dashboard/system", "/dashboard/news", "/account")

pytestmark = pytest.mark.usefixtures("clean_redis")


@pytest.fixture
def operator(web: str, database_url: str, project_id: int) -> Iterator[httpx.Client]:
    with signed_in_client(web, database_url, email="operator@p.example", is_operator=True) as client:
        yield client


@pytest.fixture
def admin(web: str, database_url: str, project_id: int) -> Iterator[httpx.Client]:
    with signed_in_client(web, database_url) as client:
        yield client


def light(client: httpx.Client, path: str = "/dashboard/health") -> tuple[str, str]:
    """Its state and its word."""
    found = re.search(r'id="health" data-state="(\w+)".*?data-part="word">(.*?)<', client.get(path).text, re.DOTALL)
    assert found, f"no light on {path}"
    return found[1], found[2]


def add_waiting(redis_client: redis.Redis, seconds: float, events: int = 3) -> datetime:
    """Entries that no worker takes: there is none. When the first of them came."""
    since = datetime.now(UTC) - timedelta(seconds=seconds)
    for number in range(events):
        redis_client.xadd(STREAM, {"e": b"x"}, id=f"{int(since.timestamp() * 1_000)}-{number}")
    return since


@pytest.mark.parametrize("path", PAGES)
def test_every_page_has_it_and_it_is_green_where_events_flow(admin: httpx.Client, path: str):
    wait_until(lambda: light(admin, path) == ("ok", "OK"))


def test_it_leads_to_the_page_that_one_may_see(admin: httpx.Client, member: httpx.Client):
    assert 'menu-more" href="/dashboard/system?project=1"' in admin.get("/dashboard").text
    told = member.get("/dashboard").text
    assert "/dashboard/system" not in told
    assert 'href="/docs/dashboard#the-light-in-the-header"' in told
    assert 'id="the-light-in-the-header"' in member.get("/docs/dashboard").text


def test_events_that_wait_delay_it_and_the_dashboard_says_up_to_when_it_goes(
    member: httpx.Client, redis_client: redis.Redis
):
    since = add_waiting(redis_client, 20)
    wait_until(lambda: light(member) == ("delayed", "Delayed"))
    told = re.search(r'id="live-status" data-state="(\w+)">(.*?)<', member.get("/dashboard").text)
    assert told is not None
    assert told[1] == "delayed"
    said = re.fullmatch(r"Data up to (\d\d:\d\d:\d\d) UTC; 3 events wait", told[2])
    assert said, told[2]
    # never later than the first that waits
    assert said[1] in {f"{since - timedelta(seconds=early):%H:%M:%S}" for early in (0, 1, 2)}
    redis_client.delete(STREAM)
    wait_until(lambda: light(member) == ("ok", "OK"))
    assert 'id="live-status" data-state="ok" hidden></p>' in member.get("/dashboard").text


def test_a_worker_that_is_stopped_breaks_it(member: httpx.Client, redis_client: redis.Redis):
    add_waiting(redis_client, 66)
    wait_until(lambda: light(member) == ("broken", "Broken"))
    told = member.get("/dashboard").text
    assert "The oldest buffered event has waited for" in told
    assert "3 events wait" in told


def test_dead_letters_are_told_to_those_who_can_see_them(
    member: httpx.Client, operator: httpx.Client, *, database_url: str, project_id: int
):
    other = create_project(database_url, "other")
    with psycopg.connect(database_url) as connection:
        connection.execute(INSERT_DEAD_LETTER, ["1-1", b"x", "refused", other])
        connection.execute(INSERT_DEAD_LETTER, ["1-2", b"x", "refused", None])
    wait_until(lambda: light(operator) == ("delayed", "2 set aside"))
    wait_until(lambda: light(member) == ("ok", "OK"))
    with psycopg.connect(database_url) as connection:
        connection.execute(INSERT_DEAD_LETTER, ["1-3", b"x", "refused", project_id])
    wait_until(lambda: light(member) == ("delayed", "1 set aside"))


def test_losses_break_it(member: httpx.Client, database_url: str, project_id: int):
    insert = """
        INSERT INTO losses (project_id, series, hour, numbers, first_at, last_at)
        VALUES (%s, 'a series', date_trunc('hour', now()), '{[1,4)}', now(), now())
    """
    with psycopg.connect(database_url) as connection:
        connection.execute(insert, [project_id])
    wait_until(lambda: light(member) == ("broken", "Broken"))
    assert "3 acknowledged events are missing" in member.get("/dashboard").text
    with psycopg.connect(database_url) as connection:
        connection.execute("UPDATE losses SET noted_at = now()")
    wait_until(lambda: light(member) == ("ok", "OK"))


def test_a_redis_that_hangs_breaks_it_and_delays_no_page_for_long(member: httpx.Client, redis_server: RunningRedis):
    wait_until(lambda: light(member) == ("ok", "OK"))
    with frozen(redis_server.pid):
        wait_until(lambda: light(member) == ("broken", "Broken"), timeout_seconds=20)
        told = member.get("/dashboard").text
        # as remembered, so that only the count of the user's requests waits for Redis
        times = []
        for _ in range(5):
            began_at = time.monotonic()
            assert member.get("/dashboard/health").status_code == 200
            times.append(time.monotonic() - began_at)
    assert min(times) < 2
    assert "Redis did not answer" in told
    assert "What waits to be stored is not known: Redis does not answer" in told
    assert 'id="live-status" data-state="broken">What waits' in told
    wait_until(lambda: light(member) == ("ok", "OK"))


def test_without_postgresql_the_page_that_says_so_has_it_too(member: httpx.Client, postgres: RunningPostgres):
    assert light(member)
    postgres.stop()
    try:
        answer = member.get("/dashboard", timeout=30)
    finally:
        postgres.restart()
    assert answer.status_code == 503
    assert 'id="health" data-state="broken"' in answer.text
    assert "PostgreSQL did not answer" in answer.text


def test_a_page_that_refuses_has_it_too(member: httpx.Client):
    answer = member.get("/dashboard", params={"project": "999999"})
    assert answer.status_code == 404
    assert 'id="health" data-state="ok"' in answer.text


def test_strangers_see_no_light(web: str):
    assert 'id="health"' not in httpx.get(f"{web}/login").text
    assert httpx.get(f"{web}/dashboard/health").status_code == 303

"""The read API and the pages read from a hot standby while it is fresh enough, and say how fresh that is."""

import json
import re
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import httpx
import psycopg
import pytest

from tests.api_keys import create_key
from tests.commands import run_command, select
from tests.replica.conftest import replica_state
from tests.sign_in import create_project, csrf_token, signed_in_client
from tests.standby import RunningStandby
from tests.stored_events import PROMPT, an_event, store_events
from tests.waiting import wait_until

PATH = "/api/v1/prompts/analytics"
OTHER_PROMPT = UUID(int=7)


@pytest.fixture
def project_id(database_url: str) -> int:
    return create_project(database_url, "p")


@pytest.fixture
def client(web: str, database_url: str, project_id: int) -> Iterator[httpx.Client]:
    key = create_key(database_url, project="p", scopes=["read"])
    with httpx.Client(base_url=web, headers={"Authorization": f"Bearer {key}"}, timeout=20) as client:
        yield client


@pytest.fixture
def store(database_url: str, project_id: int) -> Callable[..., None]:
    return lambda **options: store_events(database_url, [an_event(project_id, timedelta(minutes=5), **options)])


def read(client: httpx.Client, path: str = PATH) -> tuple[int, datetime]:
    """How many events there are, and as of when."""
    answer = client.get(path)
    assert answer.status_code == 200, answer.text
    body: Any = answer.json()
    return body["data"]["totals"]["events"], datetime.fromisoformat(body["asOf"])


@pytest.mark.timeout(120)
def test_it_is_read_until_it_is_ten_seconds_behind_and_again_when_it_has_caught_up(
    web: str, client: httpx.Client, store: Callable[..., None], standby: RunningStandby
) -> None:
    store()
    wait_until(lambda: read(client)[0] == 1)
    with standby.paused():
        paused_at = datetime.now(UTC)
        store()
        events, as_of = read(client)
        assert events == 1, "it was read from the primary"
        assert as_of <= paused_at + timedelta(seconds=0.5), "what it lacks is older than it says"
        # Each answer is as of when it says: none has the event and an older time, or lacks it and has a newer one.
        wait_until(lambda: read(client)[0] == 2, 40, 0.2)
        assert read(client)[1] > paused_at + timedelta(seconds=5)
        told = httpx.get(f"{web}/readyz")
        assert told.status_code == 200, "without its standby the service does what it should"
        assert told.json()["data"]["replica"]["state"] == "lagging"
        assert told.json()["data"]["replica"]["lag_seconds"] > 9
    wait_until(lambda: replica_state(web) == "in use")
    assert read(client)[0] == 2


def test_answers_go_on_while_it_is_killed_and_while_it_hangs(
    web: str, client: httpx.Client, store: Callable[..., None], standby: RunningStandby
) -> None:
    store()
    ended, answers = threading.Event(), list[int]()

    def ask() -> None:
        while not ended.is_set():
            answers.append(client.get(PATH).status_code)

    asking = [threading.Thread(target=ask) for _ in range(2)]
    for thread in asking:
        thread.start()

    def more(count: int) -> None:
        goal = len(answers) + count
        wait_until(lambda: len(answers) >= goal)

    try:
        more(10)
        standby.kill()
        more(10)
        wait_until(lambda: replica_state(web) == "away")
        standby.restart()
        wait_until(lambda: replica_state(web) == "in use")
        with standby.frozen():
            more(10)
            wait_until(lambda: replica_state(web) == "away")
        wait_until(lambda: replica_state(web) == "in use", 60)
    finally:
        ended.set()
        for thread in asking:
            thread.join()
    assert set(answers) == {200}


def test_an_idle_primary_makes_no_standby_old(client: httpx.Client, standby: RunningStandby) -> None:
    with psycopg.connect(standby.url) as connection:
        last = connection.execute("SELECT pg_last_xact_replay_timestamp()").fetchone()
    before = datetime.now(UTC)
    wait_until(lambda: read(client)[1] >= before, 20)
    assert last is not None
    assert last[0] < before


def test_a_prompt_that_it_does_not_know_yet_is_looked_for_in_the_primary(
    client: httpx.Client, store: Callable[..., None], standby: RunningStandby
) -> None:
    with standby.paused():
        store(prompt=OTHER_PROMPT)
        assert read(client)[0] == 0
        assert read(client, f"{PATH}/{OTHER_PROMPT}")[0] == 1


def test_who_has_changed_something_sees_it_at_once_and_others_soon(
    web: str, database_url: str, store: Callable[..., None], standby: RunningStandby
) -> None:
    store()
    page = f"/dashboard/prompts/{PROMPT}"
    with (
        signed_in_client(web, database_url, role="member", project="p") as writer,
        signed_in_client(web, database_url, role="member", project="p", email="other@p.example") as other,
    ):
        wait_until(lambda: other.get(page).status_code == 200)
        token = csrf_token(writer)
        with standby.paused():
            shown = writer.post(f"{page}/name", data={"name": "A new name", "csrf_token": token})
            assert "A new name" in shown.text
            assert "A new name" in writer.get(page).text
            assert "A new name" in writer.get(f"{page}/events.csv").text
            assert "A new name" not in other.get(page).text
        wait_until(lambda: "A new name" in other.get(page).text)


def test_a_key_that_is_revoked_is_refused_however_far_behind_it_is(
    client: httpx.Client, database_url: str, redis_url: str, standby: RunningStandby
) -> None:
    servers = {"database_url": database_url, "redis_url": redis_url, "secret_key": "s" * 32}
    with standby.paused():
        assert client.get(PATH).status_code == 200
        [(key_id,)] = select(database_url, "SELECT id FROM api_keys")
        assert run_command("keys", "revoke", str(key_id), **servers).exit_code == 0
        wait_until(lambda: client.get(PATH).status_code == 401, 8)


def test_pages_say_up_to_when_their_numbers_go_where_it_is_behind(
    web: str, database_url: str, store: Callable[..., None], standby: RunningStandby
) -> None:
    with signed_in_client(web, database_url, role="admin", project="p") as admin:
        assert "s behind the primary" in admin.get("/dashboard/system").text
        with standby.paused():
            store()
            wait_until(lambda: "the replica is behind" in admin.get("/dashboard").text, 40)


def test_raw_events_come_from_it(
    web: str, database_url: str, store: Callable[..., None], standby: RunningStandby
) -> None:
    store()
    with signed_in_client(web, database_url, role="admin", project="p") as admin:
        wait_until(lambda: str(PROMPT) in admin.get("/dashboard/events.csv").text)
        with standby.paused():
            store(prompt=OTHER_PROMPT)
            assert str(OTHER_PROMPT) not in admin.get("/dashboard/events.csv").text
            assert str(PROMPT) in admin.get(f"/dashboard/prompts/{PROMPT}/events").text


def test_status_says_how_far_behind_it_is(database_url: str, redis_url: str, standby: RunningStandby) -> None:
    servers = {"database_url": database_url, "redis_url": redis_url, "secret_key": "s" * 32}
    told = json.loads(run_command("status", "--json", database_read_url=standby.url, **servers).stdout)
    assert told["replica"] == "in use"
    standby.kill()
    told = run_command("status", database_read_url=standby.url, **servers)
    assert (told.exit_code, told.stderr) == (0, "")
    assert re.search(r"^Replica +away$", told.stdout, re.MULTILINE)

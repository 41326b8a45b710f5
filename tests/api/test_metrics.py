"""/metrics: what was counted by all processes together, and what the servers know."""

import re
import shutil
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import psutil
import psycopg
import pytest
import redis
from flask.testing import FlaskClient
from prometheus_client.parser import text_string_to_metric_families

from app.core.operations import metrics as names
from app.core.stream.state import GROUP, STREAM
from app.local.children import Guard
from app.local.ports import free_port
from app.web.application import create_app
from config.settings import load_settings
from tests.api_keys import create_key
from tests.conftest import StartProcess
from tests.processes import SECRET_KEY, AppProcess, answers, app_environment, start_process
from tests.raw_http import RawConnection
from tests.waiting import wait_until

PATH = "/api/v1/prompts/analytics"
EVENT = {"prompt_id": "123e4567-e89b-12d3-a456-426614174000", "version_hash": "v"}

Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]

pytestmark = pytest.mark.usefixtures("clean_redis", "clean_database")


def samples(text: str) -> Samples:
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def scrape(url: str) -> Samples:
    """Over a connection of its own, so that any process may answer."""
    answer = httpx.get(f"{url}/metrics")
    assert answer.status_code == 200
    return samples(answer.text)


def value(found: Samples, name: str, **labels: str) -> float:
    return found.get((name, frozenset(labels.items())), 0.0)


def answered(found: Samples, endpoint: str, status: int, code: str = "") -> float:
    return value(found, names.REQUESTS, endpoint=endpoint, status=str(status), code=code)


def scrape_since(before: Samples, url: str) -> Samples:
    """What has been counted since another scrape; says nothing of gauges."""
    return {sample: now - before.get(sample, 0.0) for sample, now in scrape(url).items()}


def accepted(found: Samples) -> float:
    return value(found, names.EVENTS_ACCEPTED)


def workers_of(web: AppProcess) -> list[psutil.Process]:
    children: list[psutil.Process] = psutil.Process(web.pid).children()
    return children


@pytest.fixture
def key(database_url: str) -> str:
    return create_key(database_url)


@pytest.fixture(scope="module")
def own_web(
    guard: Guard, server_folder: Path, database_url: str, redis_url: str, fast_paths: str
) -> Iterator[AppProcess]:
    """A gunicorn with two worker processes that nobody else talks to."""
    environment = app_environment(database_url, redis_url, web_concurrency="2", fast_paths=fast_paths)
    web = start_process("web", guard, server_folder, environment)
    wait_until(lambda: len(workers_of(web)) == 2)
    yield web
    web.stop()


@pytest.fixture
def environment(database_url: str, redis_url: str) -> dict[str, str]:
    return {"DATABASE_URL": database_url, "REDIS_URL": redis_url, "SECRET_KEY": SECRET_KEY}


def new_client(environment: dict[str, str]) -> FlaskClient:
    return create_app(load_settings(environment)).test_client()


def post(web: AppProcess, key: str, **headers: str) -> int:
    answer = httpx.post(web.url + PATH, json=EVENT, headers={"Authorization": f"Bearer {key}", **headers})
    return answer.status_code


def test_any_process_answers_the_sum_of_all(own_web: AppProcess, key: str) -> None:
    before = scrape(own_web.url)
    first, second = workers_of(own_web)
    for idle in (first, second):
        idle.suspend()
        assert [post(own_web, key) for _ in range(7)] == [204] * 7
        idle.resume()
    for idle in (first, second):
        idle.suspend()
        found = scrape_since(before, own_web.url)
        idle.resume()
        assert answered(found, "ingest.log_event", 204) == 14
        assert accepted(found) == 14


def test_nothing_counted_is_lost_with_its_process(own_web: AppProcess, key: str) -> None:
    before = scrape(own_web.url)
    with ThreadPoolExecutor(8) as threads:
        assert set(threads.map(lambda _: post(own_web, key), range(40))) == {204}
    workers = workers_of(own_web)
    for worker in workers:
        worker.kill()
    wait_until(lambda: len(workers_of(own_web)) == 2 and not set(workers_of(own_web)) & set(workers))
    wait_until(lambda: answers(own_web), 30)
    assert post(own_web, key) == 204
    assert accepted(scrape_since(before, own_web.url)) == 41


def test_it_counts_answers_by_endpoint_status_and_code(own_web: AppProcess, key: str) -> None:
    before = scrape(own_web.url)
    post(own_web, key)
    post(own_web, "nonsense")
    post(own_web, key, **{"Idempotency-Key": "has spaces"})
    httpx.get(f"{own_web.url}/nowhere")
    httpx.delete(own_web.url + PATH)
    found = scrape_since(before, own_web.url)
    assert answered(found, "ingest.log_event", 204) == 1
    assert answered(found, "ingest.log_event", 401, "UNAUTHORIZED") == 1
    assert answered(found, "ingest.log_event", 400, "VALIDATION_ERROR") == 1
    assert answered(found, "", 404, "NOT_FOUND") == 1
    assert answered(found, "", 405, "METHOD_NOT_ALLOWED") == 1


def test_it_counts_what_gunicorn_refused_by_itself(own_web: AppProcess) -> None:
    before = scrape(own_web.url)
    for head in (b"nonsense\r\n\r\n", b"GET / HTTP/1.1\r\n\r\n", b"GET /" + b"a" * 9_000 + b" HTTP/1.1\r\n\r\n"):
        with RawConnection(own_web.url) as connection:
            connection.send(head)
            connection.receive()
    # counted after the answer has left
    wait_until(lambda: answered(scrape_since(before, own_web.url), "", 400, "BAD_REQUEST") == 2)
    wait_until(lambda: answered(scrape_since(before, own_web.url), "", 414, "REQUEST_URI_TOO_LONG") == 1)


def test_it_tells_replays_from_new_events(own_web: AppProcess, key: str) -> None:
    before = scrape(own_web.url)
    for _ in range(3):
        assert post(own_web, key, **{"Idempotency-Key": "once"}) == 204
    found = scrape_since(before, own_web.url)
    assert (accepted(found), value(found, names.EVENTS_REPLAYED)) == (1, 2)


def test_it_follows_events_from_the_buffer_into_postgresql(start: StartProcess, own_web: AppProcess, key: str) -> None:
    for _ in range(5):
        post(own_web, key)
    found = wait_until(lambda: buffered_are(own_web, 5))
    assert value(found, names.EVENTS_STORED) == 0
    start("worker")
    found = wait_until(lambda: buffered_are(own_web, 0), timeout_seconds=20)
    wait_until(lambda: value(scrape(own_web.url), names.EVENTS_STORED) == 5)
    assert value(found, names.PENDING_EVENTS) == 0
    assert value(found, names.LAST_DRAIN_AGE_SECONDS) < 20


def buffered_are(web: AppProcess, events: int) -> Samples:
    """A scrape, or nothing where there are not so many events in the buffer."""
    found = scrape(web.url)
    return found if value(found, names.BUFFERED_EVENTS) == events else {}


def test_it_shows_how_long_the_oldest_event_waits(environment: dict[str, str], redis_client: redis.Redis) -> None:
    seconds, _ = redis_client.time()
    redis_client.xadd(STREAM, {"e": b"x"}, id=f"{(seconds - 100) * 1_000}-0")
    redis_client.xadd(STREAM, {"e": b"x"})
    redis_client.xgroup_create(STREAM, GROUP, id="0")
    redis_client.xreadgroup(GROUP, "somebody", {STREAM: ">"}, count=1)
    found = samples(new_client(environment).get("/metrics").text)
    assert 100 <= value(found, names.OLDEST_EVENT_AGE_SECONDS) < 110
    assert (value(found, names.BUFFERED_EVENTS), value(found, names.PENDING_EVENTS)) == (2, 1)


def test_it_answers_although_no_server_does() -> None:
    nowhere = {
        "DATABASE_URL": f"postgresql://nobody@127.0.0.1:{free_port()}/none",
        "REDIS_URL": f"redis://127.0.0.1:{free_port()}",
        "SECRET_KEY": SECRET_KEY,
    }
    answer = new_client(nowhere).get("/metrics")
    assert answer.status_code == 200
    found = samples(answer.text)
    assert value(found, names.REDIS_UP) == value(found, names.POSTGRESQL_UP) == 0
    present = {name for name, _ in found}
    assert {names.REDIS_UP, names.POSTGRESQL_UP} <= present
    assert (
        not {names.BUFFERED_EVENTS, names.OLDEST_EVENT_AGE_SECONDS, names.EVENTS_STORED, names.DEAD_LETTERS} & present
    )


def test_it_says_that_both_servers_answer(environment: dict[str, str]) -> None:
    found = samples(new_client(environment).get("/metrics").text)
    assert value(found, names.REDIS_UP) == value(found, names.POSTGRESQL_UP) == 1
    assert value(found, names.PARTITIONS_AHEAD_SECONDS) >= 6 * 86_400


def test_it_counts_what_left_no_trace(environment: dict[str, str], database_url: str) -> None:
    with psycopg.connect(database_url) as connection:
        connection.execute(
            "INSERT INTO series (series, project_id, hour, acknowledged, stored)"
            " VALUES ('a', 1, now(), '{[1,6)}', '{[1,2)}'), ('b', 1, now(), '{[1,3)}', '{}')"
        )
    found = samples(new_client(environment).get("/metrics").text)
    assert value(found, names.EVENTS_UNTRACED) == 6
    assert value(found, names.EVENTS_LOST) == 0


def test_all_of_its_names_are_on_the_closed_list(own_web: AppProcess, key: str) -> None:
    post(own_web, key)
    closed = {name for attribute, name in vars(names).items() if attribute.isupper()}
    helped = set(re.findall(r"^# TYPE (\S+)", httpx.get(f"{own_web.url}/metrics").text, re.MULTILINE))
    assert helped <= closed
    assert closed - helped <= {names.LAST_DRAIN_AGE_SECONDS}, "there has been no drain"


def test_it_is_in_the_text_format_of_prometheus(environment: dict[str, str]) -> None:
    answer = new_client(environment).get("/metrics")
    assert answer.content_type == "text/plain; version=0.0.4; charset=utf-8"


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed")
def test_promtool_finds_nothing_wrong_with_it(environment: dict[str, str]) -> None:
    text = new_client(environment).get("/metrics").get_data()
    checked = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, check=False)
    assert (checked.returncode, checked.stdout, checked.stderr) == (0, b"", b"")

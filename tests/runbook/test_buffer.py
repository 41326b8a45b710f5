"""Events wait or cannot be taken: the entry says so, and its commands lead out of it."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

import psycopg
import pytest
import redis
from flask.testing import FlaskClient

from app.core.stream.events import Event, encode_event, new_event_id
from app.core.stream.state import STREAM
from tests.batches import EVENT, PATH, bearer
from tests.health import problems
from tests.processes import AppProcess
from tests.runbook_entries import Operator, entries
from tests.waiting import wait_until

Problem = Callable[[str], str]
LAST_ID = "18446744073709551615-18446744073709551615"


def an_entry() -> dict[Any, Any]:
    return {"e": encode_event(Event(new_event_id(), 1, UUID(int=1), "v"))}


@pytest.fixture
def project(database_url: str, operator: Operator) -> None:
    with psycopg.connect(database_url) as connection:
        connection.execute("INSERT INTO projects (name) VALUES ('demo')")


@pytest.mark.usefixtures("project")
def test_nobody_empties_the_buffer(
    operator: Operator, problem: Problem, redis_client: redis.Redis, work: Callable[[], AppProcess], stored
) -> None:
    seconds, _ = redis_client.time()
    redis_client.xadd(STREAM, an_entry(), id=f"{(seconds - 90) * 1_000}-0")
    redis_client.xgroup_create(STREAM, "drain", id="0")
    assert entries()["buffer_growing"].says(problem("buffer"))
    assert "Buffered events               1\n" in operator.follow("buffer")[0]
    printed = operator.follow("buffer_growing", after={1: work})
    assert "Buffered events               0\n" in printed[1]
    assert stored() == 1


@pytest.mark.usefixtures("project")
def test_the_buffer_is_full(
    *,
    operator: Operator,
    open_client: Callable[..., FlaskClient],
    database_url: str,
    redis_url: str,
    redis_client: redis.Redis,
    work: Callable[[], AppProcess],
) -> None:
    client = open_client(database_url, redis_url, BUFFER_MAX_EVENTS="2")
    headers = bearer(database_url)
    for _ in range(2):
        redis_client.xadd(STREAM, an_entry())
    assert entries()["buffer_full"].says(problems(client)["buffer"])
    refused = client.post(PATH, json=EVENT, headers=headers)
    assert refused.status_code == 429
    assert entries()["backpressure"].says(refused.text)
    assert "Buffered events               2\n" in operator.follow("backpressure")[0]
    work()
    assert "Buffered events               0\n" in operator.follow("buffer_full")[0]
    assert client.post(PATH, json=EVENT, headers=headers).status_code == 204


@pytest.mark.usefixtures("project")
def test_the_ids_of_the_stream_are_used_up(
    operator: Operator, problem: Problem, post: Callable[[], int], redis_client: redis.Redis, work
) -> None:
    redis_client.xadd(STREAM, an_entry(), id=LAST_ID)
    assert entries()["buffer_clock"].says(problem("buffer"))
    assert post() == 503
    operator.follow("buffer_clock", after={1: work})
    assert post() == 204


def test_something_else_is_in_the_place_of_the_stream(
    operator: Operator, problem: Problem, post: Callable[[], int], is_ready, redis_client: redis.Redis
) -> None:
    redis_client.set(STREAM, "a string")
    assert entries()["buffer_not_a_stream"].says(problem("buffer"))
    assert post() == 503
    operator.follow("buffer_not_a_stream")
    assert post() == 204
    wait_until(is_ready)

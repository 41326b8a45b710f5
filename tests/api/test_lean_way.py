"""The lean way of a single event: without Flask where it is taken, and where it is not nothing is done twice."""

import json
from collections.abc import Callable
from typing import Any

import pytest
import redis
from flask import Flask
from flask.testing import FlaskClient

from app.core.contract import ANALYTICS_PATH
from app.core.errors import RedisUnavailable
from app.core.stream.state import STREAM
from app.web.application import create_app
from app.web.request_context import request_id
from app.web.services import services
from config.settings import load_settings
from tests.api_keys import create_key

EVENT = {"prompt_id": "00000000-0000-0000-0000-000000000001", "version_hash": "v1"}
LIMIT = "100/minute"


@pytest.fixture
def app(database_url: str, redis_url: str, clean_database: None, clean_redis: None) -> Flask:
    settings = {"DATABASE_URL": database_url, "REDIS_URL": redis_url, "SECRET_KEY": "s" * 32}
    return create_app(load_settings(settings))


@pytest.fixture
def in_flask(app: Flask) -> list[str]:
    """The requests that Flask has seen, by their ids."""
    seen: list[str] = []
    app.before_request(lambda: seen.append(request_id() or ""))
    return seen


@pytest.fixture
def post(app: Flask, in_flask: list[str], database_url: str) -> Callable[..., Any]:
    """Posts with a good key, which Redis knows."""
    client: FlaskClient = app.test_client()
    headers = {"Authorization": f"Bearer {create_key(database_url, rate_limit=LIMIT)}"}

    def post_one(body: Any = EVENT, **more: str) -> Any:
        return client.post(
            ANALYTICS_PATH, data=json.dumps(body), content_type="application/json", headers={**headers, **more}
        )

    # the first request of a key asks PostgreSQL, and so is Flask's
    assert (post_one().status_code, len(in_flask)) == (204, 1)
    in_flask.clear()
    return post_one


def hits(redis_client: redis.Redis) -> list[bytes]:
    return [redis_client.get(key) for key in redis_client.scan_iter("pa:limit:*/key/*")]  # type: ignore[misc]


def test_an_event_that_is_taken_never_sees_flask_and_has_the_headers_of_one_that_does(post, in_flask, redis_client):
    answer = post(**{"Idempotency-Key": "k", "X-Request-Id": "mine"})
    again = post(**{"Idempotency-Key": "k"})
    assert (answer.status, answer.data, in_flask) == ("204 NO CONTENT", b"", [])
    assert [name for name, _ in answer.headers] == [
        "X-Request-Id",
        "X-RateLimit-Limit",
        "X-RateLimit-Remaining",
        "X-RateLimit-Reset",
    ]
    assert (answer.headers["X-Request-Id"], answer.headers["X-RateLimit-Remaining"]) == ("mine", "98")
    assert (again.status_code, again.headers["Idempotent-Replayed"]) == (204, "true")
    assert redis_client.xlen(STREAM) == 2


@pytest.mark.parametrize(
    ("body", "more", "status"),
    [
        ({"prompt_id": 1}, {}, 400),
        (EVENT, {"Idempotency-Key": "a b"}, 400),
        (EVENT, {"Content-Encoding": "gzip"}, 415),
        ("x" * 20_000, {}, 413),
    ],
)
def test_what_is_refused_is_answered_by_flask_and_is_one_hit(post, in_flask, redis_client, *, body, more, status):
    answer = post(body, **{"X-Request-Id": "mine", **more})
    assert (answer.status_code, in_flask) == (status, ["mine"])
    assert answer.json["error"]["requestId"] == "mine"
    assert (hits(redis_client), redis_client.xlen(STREAM)) == ([b"2"], 1)


def test_what_redis_refuses_is_one_hit_and_not_appended_again(post, in_flask, redis_client):
    post(**{"Idempotency-Key": "k"})
    answer = post({**EVENT, "version_hash": "other"}, **{"Idempotency-Key": "k"})
    assert (answer.status_code, answer.json["error"]["code"]) == (400, "IDEMPOTENCY_KEY_REUSED")
    assert answer.headers["X-RateLimit-Remaining"] == "97"
    assert (hits(redis_client), redis_client.xlen(STREAM), len(in_flask)) == ([b"3"], 2, 1)


def test_an_event_over_the_limit_is_one_hit(post, redis_client):
    (key,) = redis_client.scan_iter("pa:limit:*/key/*")
    redis_client.set(key, "100", keepttl=True)
    answer = post()
    assert (answer.status_code, answer.json["error"]["code"]) == (429, "RATE_LIMITED")
    assert (hits(redis_client), redis_client.xlen(STREAM)) == ([b"101"], 1)


@pytest.mark.parametrize(("error", "status"), [(RedisUnavailable("lost"), 503), (ZeroDivisionError("a bug"), 500)])
def test_an_event_whose_answer_was_lost_is_not_appended_again(app, post, redis_client, monkeypatch, *, error, status):
    with app.app_context():
        buffer = services().buffer
    append = buffer.append_packed

    def append_and_fail(events: Any) -> None:
        append(events)
        raise error

    monkeypatch.setattr(buffer, "append_packed", append_and_fail)
    assert post().status_code == status
    assert (hits(redis_client), redis_client.xlen(STREAM)) == ([b"2"], 2)


def test_a_redis_that_is_silent_is_asked_for_the_key_once(app, post, monkeypatch):
    with app.app_context():
        web = services()
    asked = []

    def is_silent(*names: str) -> None:
        asked.append(names)
        raise redis.TimeoutError

    monkeypatch.setattr(web.redis, "mget", is_silent)
    web.keys._memory.clear()
    answer = post()
    assert (answer.status_code, answer.json["error"]["code"], len(asked)) == (503, "UNAVAILABLE", 1)


def test_a_key_without_the_scope_and_one_that_is_unknown_are_answered_by_flask(app, in_flask, database_url):
    client = app.test_client()
    reader = {"Authorization": f"Bearer {create_key(database_url, scopes=['read'])}"}
    assert [client.post(ANALYTICS_PATH, json=EVENT, headers=headers).status_code for headers in (reader, {})] == [
        403,
        401,
    ]
    assert len(in_flask) == 2

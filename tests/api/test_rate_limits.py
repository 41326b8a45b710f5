"""Rate limits: exact over processes, told in headers on every authenticated answer."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import cast

import httpx
import pytest
import redis
from flask import Flask
from limits import parse

from app.core import redis_client as core_redis
from app.core.stream.events import Event
from app.web.limits import KEY_PREFIX, RateLimits
from tests.api_keys import create_key

PATH = "/api/v1/prompts/analytics"
EVENT = {"prompt_id": "123e4567-e89b-12d3-a456-426614174000", "version_hash": "v"}
HEADERS = {"X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset"}

pytestmark = pytest.mark.usefixtures("clean_redis")


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


def test_the_limit_is_exact_over_both_processes(
    web: str, database_url: str, buffered: Callable[[], list[Event]]
) -> None:
    headers = bearer(create_key(database_url, rate_limit="30/minute"))

    def send_ten(_: int) -> list[httpx.Response]:
        with httpx.Client(base_url=web, headers=headers) as client:
            return [client.post(PATH, json=EVENT) for _ in range(10)]

    with ThreadPoolExecutor(8) as clients:
        answers = [answer for ten in clients.map(send_ten, range(8)) for answer in ten]
    statuses = [answer.status_code for answer in answers]
    assert (statuses.count(204), statuses.count(429)) == (30, 50)
    assert len(buffered()) == 30
    accepted = [int(answer.headers["X-RateLimit-Remaining"]) for answer in answers if answer.status_code == 204]
    assert sorted(accepted) == list(range(30))


def test_a_request_over_the_limit_says_when_to_come_back(web: str, database_url: str) -> None:
    headers = bearer(create_key(database_url, rate_limit="1/minute"))
    httpx.post(web + PATH, json=EVENT, headers=headers)
    answer = httpx.post(web + PATH, content=b"not even read", headers=headers)
    assert (answer.status_code, answer.json()["error"]["code"]) == (429, "RATE_LIMITED")
    assert (answer.headers["X-RateLimit-Limit"], answer.headers["X-RateLimit-Remaining"]) == ("1", "0")
    retry_after = int(answer.headers["Retry-After"])
    assert 55 <= retry_after <= 60
    assert abs(int(answer.headers["X-RateLimit-Reset"]) - (time.time() + retry_after)) <= 2


def test_retry_after_is_at_most_a_minute_for_long_windows_too(web: str, database_url: str) -> None:
    headers = bearer(create_key(database_url, rate_limit="1/day"))
    httpx.post(web + PATH, json=EVENT, headers=headers)
    answer = httpx.post(web + PATH, json=EVENT, headers=headers)
    assert answer.headers["Retry-After"] == "60"
    assert int(answer.headers["X-RateLimit-Reset"]) - time.time() > 80_000


def test_a_window_ends(web: str, database_url: str) -> None:
    headers = bearer(create_key(database_url, rate_limit="1/second"))
    assert httpx.post(web + PATH, json=EVENT, headers=headers).status_code == 204
    deadline = time.monotonic() + 5
    while httpx.post(web + PATH, json=EVENT, headers=headers).status_code == 429:
        assert time.monotonic() < deadline


def test_keys_of_one_project_have_limits_of_their_own(web: str, database_url: str) -> None:
    for _ in range(2):
        headers = bearer(create_key(database_url, rate_limit="1/minute"))
        assert httpx.post(web + PATH, json=EVENT, headers=headers).status_code == 204


def test_a_key_without_a_limit_has_the_default(web: str, database_url: str) -> None:
    answer = httpx.post(web + PATH, json=EVENT, headers=bearer(create_key(database_url, rate_limit=None)))
    assert answer.headers["X-RateLimit-Limit"] == "6000"


def test_a_broken_limit_in_the_database_falls_back_to_the_default(web: str, database_url: str) -> None:
    for broken in ("plenty", "0/x", "1/"):
        answer = httpx.post(web + PATH, json=EVENT, headers=bearer(create_key(database_url, rate_limit=broken)))
        assert (answer.status_code, answer.headers["X-RateLimit-Limit"]) == (204, "6000")


@pytest.mark.parametrize(
    ("status", "content", "content_type"),
    [
        (204, b'{"prompt_id":"123e4567-e89b-12d3-a456-426614174000","version_hash":"v"}', "application/json"),
        (400, b"{}", "application/json"),
        (413, b" " * 20_000, "application/json"),
        (415, b"{}", "text/plain"),
    ],
)
def test_every_authenticated_answer_tells_the_limit_and_only_refusals_tell_when_to_retry(
    client: httpx.Client, status: int, content: bytes, content_type: str
) -> None:
    answer = client.post(PATH, content=content, headers={"Content-Type": content_type})
    assert answer.status_code == status
    assert {*answer.headers} >= {name.lower() for name in HEADERS}
    assert answer.headers["X-RateLimit-Remaining"] == "99999"
    assert "Retry-After" not in answer.headers


def test_the_raw_key_is_nowhere_in_redis(client: httpx.Client, ingest_key: str, redis_client: redis.Redis) -> None:
    client.post(PATH, json=EVENT, headers={"Idempotency-Key": "a"})
    names = [name.decode() for name in cast(list[bytes], redis_client.keys("*"))]
    assert any(name.startswith(KEY_PREFIX) for name in names)
    assert not any(ingest_key in name for name in names)
    assert not any(ingest_key.encode() in cast(bytes, redis_client.dump(name)) for name in names)


@pytest.fixture
def rate_limits(redis_url: str) -> RateLimits:
    return RateLimits(Flask(__name__), core_redis.connect(redis_url), default_limit="10/minute")


def test_an_empty_identifier_is_impossible(rate_limits: RateLimits) -> None:
    with Flask(__name__).app_context(), pytest.raises(ValueError, match="nothing to count by"):
        rate_limits.hit(parse("1/minute"), "address", "")


def test_a_hit_with_its_headers_costs_one_round_trip(rate_limits: RateLimits, redis_client: redis.Redis) -> None:
    with Flask(__name__).app_context():
        rate_limits.hit(parse("10/minute"), "key", "warm-up")
    before = commands_processed(redis_client)
    with Flask(__name__).app_context():
        assert rate_limits.hit(parse("10/minute"), "key", "1").headers.keys() == HEADERS
    # the script, the three commands inside of it, and the INFO that counts
    assert commands_processed(redis_client) - before <= 5


def commands_processed(client: redis.Redis) -> int:
    return int(client.info("stats")["total_commands_processed"])


def test_a_counter_that_lost_its_expiry_gets_one(rate_limits: RateLimits, redis_client: redis.Redis) -> None:
    with Flask(__name__).app_context():
        rate_limits.hit(parse("10/minute"), "key", "1")
        (name,) = redis_client.keys(f"{KEY_PREFIX}*")
        redis_client.persist(name)
        rate_limits.hit(parse("10/minute"), "key", "1")
    assert 0 < redis_client.ttl(name) <= 60

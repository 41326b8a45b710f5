"""What a batch costs of the rate limit and of the buffer."""

from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
import redis

from app.core.stream.buffer import IDEMPOTENCY_PREFIX
from tests.batches import BATCH_PATH, EVENT, PATH, Buffered, bearer, events, post
from tests.conftest import StartProcess

pytestmark = pytest.mark.usefixtures("clean_redis")


def test_every_event_of_a_batch_is_charged_and_the_headers_say_so(web: str, database_url: str) -> None:
    with httpx.Client(base_url=web, headers=bearer(database_url, "100/minute")) as client:
        remaining = [post(client, events(count)).headers["X-RateLimit-Remaining"] for count in (1, 30, 2, 1)]
        assert remaining == ["99", "69", "67", "66"]
        assert client.post(PATH, json=EVENT).headers["X-RateLimit-Remaining"] == "65"


def test_a_batch_over_what_is_left_is_refused_and_a_smaller_one_still_passes(
    web: str, database_url: str, buffered: Buffered
) -> None:
    with httpx.Client(base_url=web, headers=bearer(database_url, "100/minute")) as client:
        post(client, events(60))
        refused = post(client, events(41), **{"Idempotency-Key": "a"})
        assert (refused.status_code, refused.json()["error"]["code"]) == (429, "RATE_LIMITED")
        assert refused.headers["X-RateLimit-Remaining"] == "39"
        assert 1 <= int(refused.headers["Retry-After"]) <= 60
        assert len(buffered()) == 60
        assert post(client, events(39)).headers["X-RateLimit-Remaining"] == "0"
        assert post(client, events(1)).status_code == 429
        assert client.post(PATH, json=EVENT).status_code == 429
    assert len(buffered()) == 99


def test_a_batch_that_fits_exactly_passes(web: str, database_url: str, buffered: Buffered) -> None:
    answer = httpx.post(web + BATCH_PATH, json={"events": events(100)}, headers=bearer(database_url, "100/minute"))
    assert (answer.status_code, answer.headers["X-RateLimit-Remaining"]) == (204, "0")
    assert len(buffered()) == 100


def test_a_bad_batch_is_charged_as_one_request(web: str, database_url: str) -> None:
    with httpx.Client(base_url=web, headers=bearer(database_url, "100/minute")) as client:
        assert post(client, [{}] * 500).headers["X-RateLimit-Remaining"] == "99"


def test_the_charge_is_exact_over_both_processes(web: str, database_url: str, buffered: Buffered) -> None:
    headers = bearer(database_url, "1000/minute")

    def send_batches(_: int) -> list[httpx.Response]:
        with httpx.Client(base_url=web, headers=headers) as client:
            return [post(client, events(30)) for _ in range(10)]

    with ThreadPoolExecutor(6) as clients:
        answers = [answer for ten in clients.map(send_batches, range(6)) for answer in ten]
    accepted = sum(answer.status_code == 204 for answer in answers)
    assert {answer.status_code for answer in answers} == {204, 429}
    assert len(buffered()) == 30 * accepted
    # Each refusal is one hit: so many may be missing from the last batches that would have fitted.
    assert 1_000 - 60 <= 30 * accepted <= 1_000


def test_above_the_watermark_a_batch_is_refused_whole(
    start: StartProcess, ingest_key: str, buffered: Buffered, redis_client: redis.Redis
) -> None:
    web = start("web", buffer_max_events="100", web_concurrency="1")
    with httpx.Client(base_url=web.url, headers={"Authorization": f"Bearer {ingest_key}"}) as client:
        assert post(client, events(60)).status_code == 204
        refused = post(client, events(41), **{"Idempotency-Key": "a"})
        assert (refused.status_code, refused.json()["error"]["code"]) == (429, "BACKPRESSURE")
        assert len(buffered()) == 60
        assert not list(redis_client.scan_iter(f"{IDEMPOTENCY_PREFIX}*"))
        assert post(client, events(40), **{"Idempotency-Key": "a"}).status_code == 204
    assert len(buffered()) == 100

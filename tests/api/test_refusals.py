"""Refused requests are counted by project and code, apart from the requests themselves."""

from collections import Counter
from datetime import UTC, datetime
from uuid import uuid4

import httpx
import psycopg
import pytest
import redis

from app.core.operations.refusals import count_refusals
from app.core.queries.projects import insert_project
from tests.api_keys import create_key
from tests.raw_http import RawConnection
from tests.waiting import wait_until

PATH = "/api/v1/prompts/analytics"
EVENT = {"prompt_id": "123e4567-e89b-12d3-a456-426614174000", "version_hash": "v"}

pytestmark = pytest.mark.usefixtures("clean_redis")


def counted(redis_client: redis.Redis, project_id: int | None = None) -> Counter[str]:
    counts = count_refusals(redis_client, datetime.now(UTC), project_id=project_id)
    return Counter({each.code: each.last_hour for each in counts})


def test_every_kind_of_refusal_is_counted_with_the_project_of_its_key(web, database_url, redis_client):
    project = f"refused-{uuid4()}"
    keys = [create_key(database_url, project=project, rate_limit=limit) for limit in ("100/minute", "1/hour")]
    reader = create_key(database_url, project=project, scopes=["read"])
    with httpx.Client(base_url=web) as client:

        def post(key: str, **request) -> int:
            return client.post(PATH, headers={"Authorization": f"Bearer {key}"}, **request).status_code

        assert [post(keys[0], json=EVENT), post(keys[0], json={}), post(keys[0], content=b"x")] == [204, 400, 415]
        assert [post(keys[1], json=EVENT), post(keys[1], json=EVENT)] == [204, 429]
        assert [post(reader, json=EVENT), post("nonsense", json=EVENT)] == [403, 401]
        assert client.get("/api/nowhere").status_code == 404
    expected = Counter(VALIDATION_ERROR=1, UNSUPPORTED_MEDIA_TYPE=1, RATE_LIMITED=1, FORBIDDEN=1)
    everybody = expected + Counter(UNAUTHORIZED=1, NOT_FOUND=1)
    # what web counted for the test before may come a second later
    wait_until(lambda: counted(redis_client) >= everybody)
    assert counted(redis_client, project_id_of(database_url, project)) == expected


def test_what_is_not_the_api_is_not_counted(web, redis_client):
    with httpx.Client(base_url=web) as client:
        assert {client.get("/nowhere").status_code for _ in range(50)} == {404}
        assert client.get("/api/nowhere").status_code == 404
    wait_until(lambda: counted(redis_client)["NOT_FOUND"])
    assert counted(redis_client)["NOT_FOUND"] < 50


def test_what_gunicorn_refused_by_itself_is_counted_without_a_project(web, redis_client):
    for _ in range(2):
        with RawConnection(web) as connection:
            connection.send(b"nonsense\r\n\r\n")
            assert connection.receive().status == 400
    wait_until(lambda: counted(redis_client)["BAD_REQUEST"] == 2)


def project_id_of(database_url: str, name: str) -> int:
    with psycopg.connect(database_url) as connection:
        return insert_project(connection, name)

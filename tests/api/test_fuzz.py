"""schemathesis attacks the real web process with what the OpenAPI document allows, and with what it does not."""

from collections.abc import Iterator
from typing import Any
from uuid import UUID

import orjson
import psycopg
import pytest
import redis
import schemathesis
from schemathesis.checks import CheckFunction
from schemathesis.config import HealthCheck
from schemathesis.specs.openapi.checks import positive_data_acceptance

from app.core.contract import EXAMPLE_EVENT
from app.core.keys.api_key import hash_key
from app.core.stream.buffer import IDEMPOTENCY_PREFIX
from app.web.api.openapi import document
from app.web.limits import KEY_PREFIX
from tests.api_keys import create_key
from tests.stored_events import an_event, store_events

EXAMPLES_OF_AN_OPERATION = 80

SELECT_PROJECT = "SELECT project_id FROM api_keys WHERE key_hash = %s"

schema = schemathesis.openapi.from_dict(
    orjson.loads(document()),
    # The same requests in every run, so that a change fails for what it changed and never by chance: to look for
    # more, try other seeds and more examples by hand. And a busy machine is no failure.
    config=schemathesis.Config(seed=1, suppress_health_check=[HealthCheck.too_slow]),
)
schema.config.generation.update(max_examples=EXAMPLES_OF_AN_OPERATION, database="none")


@pytest.fixture(scope="module")
def key(database_url: str) -> str:
    """Of a project of its own, and not limited: a 429 to everything would prove nothing."""
    return create_key(database_url, project="fuzz", scopes=("ingest", "read"), rate_limit="1000000/second")


@pytest.fixture(scope="module")
def used_prompt(database_url: str, key: str) -> None:
    """The prompt of the document's examples with two versions, so that reading and comparing them has an answer."""
    with psycopg.connect(database_url) as connection:
        row = connection.execute(SELECT_PROJECT, [hash_key(key)]).fetchone()
    assert row is not None
    prompt = UUID(str(EXAMPLE_EVENT["prompt_id"]))
    store_events(database_url, [an_event(row[0], prompt=prompt, version=version) for version in ("v1", "v2")])


@pytest.fixture(scope="module")
def redis_state(redis_url: str) -> Iterator[redis.Redis]:
    with redis.Redis.from_url(redis_url) as client:
        yield client


@pytest.mark.usefixtures("used_prompt")
@schema.parametrize()
def test_no_answer_is_outside_the_document(
    case: "schemathesis.Case[Any]", web: str, key: str, redis_state: redis.Redis
) -> None:
    forget_earlier_requests(redis_state)
    answer = case.call(base_url=web, headers={"Authorization": f"Bearer {key}"})
    case.validate_response(answer, excluded_checks=inapplicable_checks(case))


def forget_earlier_requests(redis_state: redis.Redis) -> None:
    """What is valid may depend on earlier requests, of which a document can say nothing.

    Some checks repeat a request without a key and want a 401, which would soon be a 429; and an Idempotency-Key
    comes again with another body.
    """
    for pattern in (f"{KEY_PREFIX}*/address/*", f"{IDEMPOTENCY_PREFIX}*"):
        for name in redis_state.scan_iter(pattern):
            redis_state.delete(name)


def inapplicable_checks(case: "schemathesis.Case[Any]") -> list[CheckFunction]:
    """All apply but one.

    JSON Schema cannot say that `from` is before `to` and not too far for the interval, nor which days are the last
    thirty.
    """
    has_time = case.method == "GET" or "timestamp" in repr(case.body)
    return [positive_data_acceptance] if has_time else []

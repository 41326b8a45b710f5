"""Every field rule with several bad inputs: each is a 400 that names the field and repeats no value."""

import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import httpx
import pytest

from app.core.stream.events import Event
from tests.bad_values import (
    BAD_NUMBERS,
    BAD_PROMPT_IDS,
    BAD_VERSION_HASHES,
    NOT_JSON,
    NOT_JSON_NUMBERS,
    NOT_NEGATIVE,
    NOT_OBJECTS,
    PROMPT_ID,
)

PATH = "/api/v1/prompts/analytics"
GOOD = {"prompt_id": f'"{PROMPT_ID}"', "version_hash": '"v"'}

NUMBERS = ("latency_ms", "cost_usd", "score")

pytestmark = pytest.mark.usefixtures("clean_redis")


def body_with(**fields: str) -> str:
    return "{" + ",".join(f'"{name}":{value}' for name, value in {**GOOD, **fields}.items()) + "}"


def post(client: httpx.Client, body: str | bytes) -> httpx.Response:
    return client.post(PATH, content=body, headers={"Content-Type": "application/json"})


def assert_refused(answer: httpx.Response, *fields: str) -> None:
    assert answer.status_code == 400, (answer.request.content[:200], answer.text)
    error = answer.json()["error"]
    assert (answer.json()["success"], error["code"]) == (False, "VALIDATION_ERROR")
    assert [detail["field"] for detail in error["details"]] == list(fields)
    assert all(detail["message"] for detail in error["details"])
    assert error["requestId"] == answer.headers["X-Request-Id"]


@pytest.fixture(autouse=True)
def nothing_is_stored(buffered: Callable[[], list[Event]], request: pytest.FixtureRequest) -> Any:
    yield
    if "takes" not in request.node.name:
        assert buffered() == []


def test_it_refuses_a_prompt_id_that_is_no_uuid(client: httpx.Client) -> None:
    for value in BAD_PROMPT_IDS:
        assert_refused(post(client, body_with(prompt_id=value)), "prompt_id")


def test_it_refuses_a_bad_version_hash(client: httpx.Client) -> None:
    for value in BAD_VERSION_HASHES:
        assert_refused(post(client, body_with(version_hash=value)), "version_hash")


@pytest.mark.parametrize("field", NUMBERS)
def test_it_refuses_what_is_no_number_in_range(client: httpx.Client, field: str) -> None:
    for value in BAD_NUMBERS:
        assert_refused(post(client, body_with(**{field: value})), field)


@pytest.mark.parametrize("field", ["latency_ms", "cost_usd"])
def test_it_refuses_negative_latencies_and_costs(client: httpx.Client, field: str) -> None:
    for value in NOT_NEGATIVE:
        assert_refused(post(client, body_with(**{field: value})), field)


@pytest.mark.parametrize("field", NUMBERS)
def test_it_refuses_numbers_that_are_not_json(client: httpx.Client, field: str) -> None:
    for value in NOT_JSON_NUMBERS:
        assert_refused(post(client, body_with(**{field: value})), "body")


def test_it_refuses_a_score_out_of_range(client: httpx.Client) -> None:
    assert_refused(post(client, body_with(score="-1000000000000.5")), "score")


@pytest.mark.parametrize("missing", ["prompt_id", "version_hash"])
def test_it_refuses_a_body_without_a_required_field(client: httpx.Client, missing: str) -> None:
    body = {"prompt_id": PROMPT_ID, "version_hash": "v"}
    del body[missing]
    assert_refused(post(client, json.dumps(body)), missing)


def test_it_names_every_bad_field(client: httpx.Client) -> None:
    body = '{"prompt_id":1,"latency_ms":"1","cost_usd":null,"score":true}'
    assert_refused(post(client, body), "prompt_id", "version_hash", "latency_ms", "cost_usd", "score")


def test_it_refuses_a_body_that_is_no_object(client: httpx.Client) -> None:
    for body in NOT_OBJECTS:
        assert_refused(post(client, body), "body")


def test_it_refuses_a_body_that_is_not_json(client: httpx.Client) -> None:
    for body in NOT_JSON:
        assert_refused(post(client, body), "body")


@pytest.mark.parametrize(
    "encoded",
    [
        b"\xef\xbb\xbf" + body_with().encode(),
        body_with().encode("utf-16"),
        body_with().encode("utf-16-le"),
        body_with().encode("utf-32"),
        body_with(version_hash='"\u00e9"').encode("latin-1"),
        body_with(version_hash='"X"').encode().replace(b"X", b"\xed\xa0\x80"),
        body_with(version_hash='"X"').encode().replace(b"X", b"\xc0\x80"),
        body_with(version_hash='"X"').encode().replace(b"X", b"\xff"),
        body_with(model='"X"').encode().replace(b"X", b"\xf5\x80\x80\x80"),
        body_with().encode() + b"\x00",
    ],
    ids=["bom", "utf-16", "utf-16-le", "utf-32", "latin-1", "surrogate", "overlong", "ff", "too large", "nul"],
)
def test_it_refuses_a_body_in_another_encoding(client: httpx.Client, encoded: bytes) -> None:
    assert_refused(post(client, encoded), "body")


def test_it_never_repeats_a_value(client: httpx.Client) -> None:
    secret = "my-secret-value"
    bodies = [
        body_with(**dict.fromkeys(["prompt_id", "version_hash", *NUMBERS], f'"{secret}\\u0000"')),
        body_with(score=secret),
        f'"{secret}"',
        f'{{"prompt_id":"{secret}","{secret}":NaN}}',
    ]
    for body in bodies:
        answer = post(client, body)
        assert answer.status_code == 400
        assert secret not in answer.text


@pytest.mark.parametrize("field", NUMBERS)
def test_it_takes_numbers_up_to_the_limits(
    client: httpx.Client, field: str, buffered: Callable[[], list[Event]]
) -> None:
    fractions = ["0." + "1" * 400, "999999999999." + "9" * 400, "1e-400", "5e-324", "0e-400", "0." + "0" * 400]
    values = ["0", "0.0", "-0", "-0.0", "0e20", "1000000000000", "1e12", "1E+12", "10000000000.00e2", *fractions]
    for value in values:
        assert post(client, body_with(**{field: value})).status_code == 204, value
    assert [getattr(event, field) for event in buffered()] == [Decimal(value) for value in values]


def test_it_takes_negative_scores(client: httpx.Client) -> None:
    for value in ["-1", "-1e12", "-0.5"]:
        assert post(client, body_with(score=value)).status_code == 204


def test_it_takes_version_hashes_up_to_256_characters(
    client: httpx.Client, buffered: Callable[[], list[Event]]
) -> None:
    values = ["v", " ", "x" * 256, "\U0001f600" * 256, "\u00a0\u4e2d", "a/b c?d", '"quoted"']
    for value in values:
        assert post(client, body_with(version_hash=json.dumps(value))).status_code == 204, value
    assert [event.version_hash for event in buffered()] == values

"""Every field rule with several bad inputs: each is a 400 that names the field and repeats no value."""

import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import httpx
import pytest

from app.core.stream.events import Event

PATH = "/api/v1/prompts/analytics"
PROMPT_ID = "123e4567-e89b-12d3-a456-426614174000"
GOOD = {"prompt_id": f'"{PROMPT_ID}"', "version_hash": '"v"'}

BAD_PROMPT_IDS = [
    "null",
    "1",
    "true",
    "[]",
    "{}",
    '""',
    '"string"',
    f'"{PROMPT_ID.replace("-", "")}"',
    f'"{{{PROMPT_ID}}}"',
    f'"urn:uuid:{PROMPT_ID}"',
    f'" {PROMPT_ID}"',
    f'"{PROMPT_ID}\\n"',
    f'"{PROMPT_ID[:-1]}"',
    f'"{PROMPT_ID}0"',
    f'"{PROMPT_ID[:-1]}g"',
    '"123e4567e-89b-12d3-a456-426614174000"',
    '"123e4567-e89b-12d3-a456-42661417400\uff10"',
    f'"{PROMPT_ID}\\u0000"',
    f'["{PROMPT_ID}"]',
]
BAD_VERSION_HASHES = [
    "null",
    "1",
    "1.5",
    "false",
    "[]",
    '{"a":1}',
    '""',
    '"' + "x" * 257 + '"',
    '"' + "\\ud83d\\ude00" * 257 + '"',
    '"a\\u0000"',
    '"\\u0000"',
    '"a\\nb"',
    '"a\\tb"',
    '"\\u001f"',
    '"\\u007f"',
    '"\u0085"',
    '"\\u009f"',
    '"\\ud800"',
    '"\\udc00a"',
    '"\\ude00\\ud83d"',
]
BAD_NUMBERS = [
    "null",
    "true",
    "false",
    '"12"',
    '"1_000"',
    '"\uff11\uff12"',
    '""',
    '"NaN"',
    "[]",
    "[1]",
    "{}",
    "1e999",
    "-1e999",
    "1e13",
    "1000000000001",
    "1000000000000.0000001",
    "1" + "0" * 399,
    "-" + "9" * 400,
    "0." + "0" * 400 + "1",
    "1e-401",
    "1e-999999999",
    "0e-500",
    "0e21",
]
NOT_NEGATIVE = ["-1", "-0.0000001", "-1e-300", "-1000000000000"]
# These are refused by the JSON decoder, so no single field can be named.
NOT_JSON_NUMBERS = [
    "NaN",
    "Infinity",
    "-Infinity",
    "nan",
    "+1",
    ".5",
    "1.",
    "01",
    "0x10",
    "1_000",
    "1e",
    "--1",
    "\uff11",
    "1" * 5_000,
    "1e99999999999999999999",
    "1e-99999999999999999999",
]
NOT_OBJECTS = ["null", "true", "1", "1.5", '"text"', "[]", f'[{{"prompt_id":"{PROMPT_ID}","version_hash":"v"}}]']
NOT_JSON = [
    "",
    " ",
    "{",
    "}",
    "{'prompt_id':1}",
    '{"prompt_id"}',
    '{"a":1,}',
    '{"a":1}x',
    '{"a":1}{"a":1}',
    '{"a":"\x01"}',
    '{"a":"\\x"}',
    '{"a":"\\u12"}',
    "// comment\n{}",
    "[" * 16_000,
    '{"a":' * 3_000,
    "[" * 8_000 + "]" * 8_000,
]
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

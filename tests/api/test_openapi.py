"""The OpenAPI document: valid, faithful to the published contract, and complete."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import jsonschema_rs
import orjson
import pytest
import schemathesis

from app.core.analytics.usage import MAX_ROWS
from app.core.contract import EXAMPLE_EVENT
from app.core.rollups.grains import FROM_COARSE_TO_FINE
from app.web.api.openapi import document
from app.web.application import create_app
from app.web.errors import LONGEST_RETRY_SECONDS
from config.settings import load_settings
from tests.processes import SECRET_KEY

CONTRACT: dict[str, Any] = json.loads(Path(__file__).with_name("contract.json").read_text())
DOCUMENT: dict[str, Any] = orjson.loads(document())

STATUSES_AND_CODES = {
    "400": {"VALIDATION_ERROR", "IDEMPOTENCY_KEY_REUSED"},
    "401": {"UNAUTHORIZED"},
    "403": {"FORBIDDEN"},
    "408": {"REQUEST_TIMEOUT"},
    "413": {"PAYLOAD_TOO_LARGE"},
    "415": {"UNSUPPORTED_MEDIA_TYPE"},
    "429": {"RATE_LIMITED", "BACKPRESSURE"},
    "503": {"UNAVAILABLE"},
}


def resolved(node: dict[str, Any]) -> dict[str, Any]:
    """What a node says, or what its reference leads to."""
    while "$ref" in node:
        found: Any = DOCUMENT
        for step in node["$ref"].removeprefix("#/").split("/"):
            found = found[step]
        node = found
    return node


def nodes(value: Any) -> Iterator[dict[str, Any]]:
    """Every object in the document."""
    if isinstance(value, dict):
        yield value
        for child in value.values():
            yield from nodes(child)
    elif isinstance(value, list):
        for child in value:
            yield from nodes(child)


@pytest.fixture
def log_event() -> dict[str, Any]:
    operation: dict[str, Any] = DOCUMENT["paths"][CONTRACT["path"]][CONTRACT["method"]]
    return operation


@pytest.fixture
def event_schema(log_event: dict[str, Any]) -> dict[str, Any]:
    return resolved(log_event["requestBody"]["content"]["application/json"]["schema"])


def test_it_is_served_without_a_key(web: str) -> None:
    answer = httpx.get(f"{web}/openapi.json")
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "application/json")
    assert answer.json() == DOCUMENT


def test_it_is_a_valid_document_of_openapi_3_1() -> None:
    assert DOCUMENT["openapi"].startswith("3.1.")
    schemathesis.openapi.from_dict(DOCUMENT).validate()


@pytest.mark.parametrize("name", sorted(DOCUMENT["components"]["schemas"]))
def test_each_of_its_schemas_is_a_valid_json_schema(name: str) -> None:
    jsonschema_rs.meta.validate(DOCUMENT["components"]["schemas"][name])


def test_its_references_lead_somewhere() -> None:
    references = [node for node in nodes(DOCUMENT) if "$ref" in node]
    assert references
    for node in references:
        assert resolved(node)


def test_it_asks_for_a_bearer_key_on_every_operation() -> None:
    ((name, scheme),) = DOCUMENT["components"]["securitySchemes"].items()
    assert {"type": scheme["type"], "scheme": scheme["scheme"]} == CONTRACT["authentication"]
    assert DOCUMENT["security"] == [{name: []}]
    assert not any("security" in node for node in nodes(DOCUMENT["paths"]))


def test_it_takes_the_body_of_the_contract_and_no_other(log_event: dict[str, Any]) -> None:
    assert log_event["requestBody"]["required"] is CONTRACT["requestBody"]["required"]
    assert set(log_event["requestBody"]["content"]) == set(CONTRACT["requestBody"]["content"])


def test_it_has_the_fields_of_the_contract_with_their_types(event_schema: dict[str, Any]) -> None:
    published = CONTRACT["requestBody"]["content"]["application/json"]["schema"]
    assert event_schema["type"] == published["type"]
    assert sorted(event_schema["required"]) == sorted(published["required"])
    assert set(event_schema["properties"]) == {*published["properties"], "timestamp"}
    for name, field in published["properties"].items():
        assert {key: event_schema["properties"][name].get(key) for key in field} == field
        assert ("format" in event_schema["properties"][name]) == ("format" in field)


def test_it_allows_fields_that_the_contract_does_not_know(event_schema: dict[str, Any]) -> None:
    assert event_schema.get("additionalProperties", True) is True


def test_the_example_of_the_contract_is_valid(event_schema: dict[str, Any]) -> None:
    jsonschema_rs.validate(event_schema, CONTRACT["example"], validate_formats=True)


def test_its_examples_are_the_event_that_all_others_show(event_schema: dict[str, Any]) -> None:
    examples = {name: example["value"] for name, example in DOCUMENT["components"]["examples"].items()}
    assert examples["Event"] == EXAMPLE_EVENT
    assert examples["Batch"] == {"events": [EXAMPLE_EVENT]}
    jsonschema_rs.validate(event_schema, examples["Event"], validate_formats=True)


def test_what_it_repeats_of_the_code_is_as_there(event_schema: dict[str, Any]) -> None:
    components = DOCUMENT["components"]
    prompt_id, *_ = DOCUMENT["paths"][CONTRACT["path"] + "/{prompt_id}"]["get"]["parameters"]
    assert prompt_id["schema"]["pattern"] == event_schema["properties"]["prompt_id"]["pattern"]
    assert components["headers"]["Retry-After"]["schema"]["maximum"] == LONGEST_RETRY_SECONDS
    for name, listed in (("ProjectUsage", "prompts"), ("PromptUsage", "versions")):
        properties = components["schemas"][name]["properties"]
        assert properties[listed]["maxItems"] == MAX_ROWS
        assert f"{MAX_ROWS:,}" in properties["truncated"]["description"]
        assert properties["interval"]["enum"] == list(reversed(FROM_COARSE_TO_FINE))


@pytest.mark.parametrize(
    "wrong",
    [
        {"prompt_id": "0" * 32},
        {"prompt_id": "{00000000-0000-0000-0000-000000000000}"},
        {"version_hash": ""},
        {"version_hash": "v" * 257},
        {"version_hash": "a\u0000b"},
        {"version_hash": "a\u0085b"},
        {"latency_ms": -1},
        {"latency_ms": 1e12 + 1},
        {"latency_ms": None},
        {"cost_usd": "0.1"},
        {"cost_usd": True},
        {"score": -1e12 - 1},
    ],
    ids=repr,
)
def test_it_says_what_values_are_refused(event_schema: dict[str, Any], wrong: dict[str, Any]) -> None:
    assert not jsonschema_rs.is_valid(event_schema, {**CONTRACT["example"], **wrong}, validate_formats=True)


def test_it_has_the_answers_of_the_contract(log_event: dict[str, Any]) -> None:
    assert set(CONTRACT["responses"]) <= set(log_event["responses"])
    no_content = resolved(log_event["responses"]["204"])
    assert no_content["description"] == CONTRACT["responses"]["204"]
    assert "content" not in no_content


def test_it_has_every_answer_of_the_ingest_endpoint_with_its_codes(log_event: dict[str, Any]) -> None:
    answers = {status: resolved(answer) for status, answer in log_event["responses"].items() if status != "204"}
    assert {status: codes_of(answer) for status, answer in answers.items()} == STATUSES_AND_CODES


def codes_of(answer: dict[str, Any]) -> set[str]:
    envelope, narrowed = answer["content"]["application/json"]["schema"]["allOf"]
    assert envelope == {"$ref": "#/components/schemas/Error"}
    return set(narrowed["properties"]["error"]["properties"]["code"]["enum"])


def test_it_promises_retry_after_on_429_and_503_and_on_nothing_else() -> None:
    for path in DOCUMENT["paths"].values():
        for operation in path.values():
            with_header = {
                status
                for status, answer in operation["responses"].items()
                if "Retry-After" in resolved(answer)["headers"]
            }
            assert with_header == {"429", "503"}


def test_a_429_tells_how_the_limit_stands_where_there_is_a_key() -> None:
    for path in DOCUMENT["paths"].values():
        for operation in path.values():
            headers = resolved(operation["responses"]["429"])["headers"]
            for name in ("X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset"):
                assert headers[name]["schema"]["type"] == "integer"
                assert headers[name]["required"] is False


def test_every_answer_names_its_request() -> None:
    for path in DOCUMENT["paths"].values():
        for operation in path.values():
            assert all("X-Request-Id" in resolved(answer)["headers"] for answer in operation["responses"].values())


def test_it_documents_every_route_of_the_api_and_no_other(database_url: str, redis_url: str) -> None:
    environment = {"DATABASE_URL": database_url, "REDIS_URL": redis_url, "SECRET_KEY": SECRET_KEY}
    routes = {
        (re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule), method.lower())
        for rule in create_app(load_settings(environment)).url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
        if rule.rule.startswith("/api/")
    }
    assert routes == {(path, method) for path, item in DOCUMENT["paths"].items() for method in item}

"""The read API: what it refuses."""

import httpx
import pytest

from app.local.postgres import RunningPostgres
from tests.api_keys import create_key
from tests.usage_questions import PATH, PROMPT


def bad_fields(answer: httpx.Response) -> list[str]:
    assert answer.status_code == 400, answer.text
    error = answer.json()["error"]
    assert error["code"] == "VALIDATION_ERROR"
    return [detail["field"] for detail in error["details"]]


def test_it_answers_404_for_a_prompt_that_the_project_never_used(client: httpx.Client) -> None:
    answer = client.get(f"{PATH}/{PROMPT}")
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "NOT_FOUND")


@pytest.mark.parametrize(
    "prompt_id",
    [
        "1",
        "latest",
        PROMPT.replace("-", ""),
        f"{{{PROMPT}}}",
        f"urn:uuid:{PROMPT}",
        f"{PROMPT}0",
        PROMPT[:-1] + "g",
        "%00",
    ],
)
def test_it_refuses_a_prompt_id_that_is_no_uuid(client: httpx.Client, prompt_id: str) -> None:
    assert bad_fields(client.get(f"{PATH}/{prompt_id}")) == ["prompt_id"]


@pytest.mark.parametrize(
    ("query", "fields"),
    [
        ("from=", ["from"]),
        ("from=yesterday", ["from"]),
        ("from=1767225600", ["from"]),
        ("from=2026-01-01", ["from"]),
        ("from=2026-01-01T00:00:00", ["from"]),
        ("from=2026-01-01T00:00:00+00:00", ["from"]),
        ("from=2026-02-30T00:00:00Z", ["from"]),
        ("from=2026-01-01T24:00:00Z", ["from"]),
        ("from=2026-01-01T00:00:60Z", ["from"]),
        ("from=2026-W01-1T00:00:00Z", ["from"]),
        ("from=20260101T000000Z", ["from"]),
        ("from=2026-01-01T00:00:00%2B24:00", ["from"]),
        ("from=0001-01-01T00:00:00%2B23:59", ["from"]),
        ("from=1999-12-31T23:59:59Z", ["from"]),
        ("from=٢٠٢٦-01-01T00:00:00Z", ["from"]),
        ("from=2026-01-01T00:00:00Z%00", ["from"]),
        ("from=%FF", ["from"]),
        ("to=9999-12-31T23:59:59Z", ["to"]),
        ("to=2026-01-01T00:00:00", ["to"]),
        ("interval=", ["interval"]),
        ("interval=week", ["interval"]),
        ("interval=Hour", ["interval"]),
        ("from=x&to=y&interval=z", ["from", "to", "interval"]),
        ("from=2026-01-01T00:00:00Z&from=2026-01-01T00:00:00Z", ["from"]),
        ("interval=day&interval=hour", ["interval"]),
        ("form=2026-01-01T00:00:00Z", ["form"]),
        ("from=2026-01-01T00:00:00Z&to=2026-01-01T00:00:00Z", ["from"]),
        ("from=2026-01-02T00:00:00Z&to=2026-01-01T00:00:00Z", ["from"]),
        ("from=2090-01-01T00:00:00Z", ["from"]),
        ("from=2025-01-01T00:00:00Z&to=2026-03-01T00:00:00Z", ["from"]),
        ("from=2026-01-01T00:00:00Z&to=2026-01-01T01:00:00Z&interval=minute", ["interval"]),
        ("from=2026-01-01T00:00:00Z&to=2026-04-01T00:00:00Z&interval=hour", ["interval"]),
    ],
)
def test_it_refuses_a_question_that_is_not_clear(client: httpx.Client, query: str, fields: list[str]) -> None:
    assert bad_fields(client.get(f"{PATH}?{query}")) == fields
    assert bad_fields(client.get(f"{PATH}/{PROMPT}?{query}")) == fields


def test_it_never_echoes_what_was_asked(client: httpx.Client) -> None:
    answer = client.get(PATH, params={"from": "<script>", "interval": "<script>"})
    assert sorted(bad_fields(answer)) == ["from", "interval"]
    assert "script" not in answer.text


def test_it_refuses_a_key_that_may_only_ingest(web: str, database_url: str, read_key: str) -> None:
    headers = {"Authorization": f"Bearer {create_key(database_url, scopes=['ingest'])}"}
    for path in (PATH, f"{PATH}/{PROMPT}", f"{PATH}?from=nonsense"):
        answer = httpx.get(web + path, headers=headers)
        assert (answer.status_code, answer.json()["error"]["code"]) == (403, "FORBIDDEN")


def test_it_refuses_a_request_without_a_key(web: str) -> None:
    for path in (PATH, f"{PATH}/{PROMPT}", f"{PATH}/nonsense", f"{PATH}?from=nonsense"):
        answer = httpx.get(web + path)
        assert (answer.status_code, answer.json()["error"]["code"]) == (401, "UNAUTHORIZED")


def test_a_prompt_can_only_be_read(client: httpx.Client) -> None:
    answer = client.post(f"{PATH}/{PROMPT}", json={})
    assert (answer.status_code, answer.json()["error"]["code"]) == (405, "METHOD_NOT_ALLOWED")


def test_it_answers_503_while_postgresql_is_down(client: httpx.Client, postgres: RunningPostgres) -> None:
    assert client.get(PATH).status_code == 200
    postgres.stop()
    try:
        answer = client.get(PATH)
        assert (answer.status_code, answer.json()["error"]["code"]) == (503, "UNAVAILABLE")
        assert 1 <= int(answer.headers["Retry-After"]) <= 60
    finally:
        postgres.restart()
    assert client.get(PATH).status_code == 200

"""The comparison of two versions: what it refuses."""

from typing import Any
from uuid import UUID

import httpx
import pytest

from app.core.database import connect
from tests.api_keys import create_key
from tests.folds import fold_all
from tests.stored_events import an_event, store_events
from tests.usage_questions import PATH, PROMPT

COMPARISON = f"{PATH}/{PROMPT}/comparison"


@pytest.fixture
def versions(database_url: str, read_key: str) -> list[str]:
    with connect(database_url, application_name="test", statement_timeout_ms=20_000) as connection:
        row = connection.execute("SELECT id FROM projects WHERE name = 'demo'").fetchone()
        assert row is not None
    made = ["v1", "v2"]
    store_events(database_url, [an_event(row[0], prompt=UUID(PROMPT), version=version) for version in made])
    return made


def error_of(answer: httpx.Response, status: int) -> Any:
    assert answer.status_code == status, answer.text
    return answer.json()["error"]


def fields(error: Any) -> list[str]:
    return sorted(detail["field"] for detail in error["details"])


@pytest.mark.usefixtures("versions")
@pytest.mark.parametrize(
    ("query", "named"),
    [
        ("baseline=", ["baseline"]),
        (f"candidate={'v' * 257}", ["candidate"]),
        ("baseline=%00&candidate=%C2%85", ["baseline", "candidate"]),
        ("baseline=v1&baseline=v1&candidate=v2", ["baseline"]),
        ("from=2026-01-01T00:00:00Z", ["from"]),
        ("base=v1", ["base"]),
        ("baseline=v1&candidate=v1", ["candidate"]),
        ("baseline=unknown&candidate=unknown", ["candidate"]),
    ],
)
def test_it_refuses_a_question_that_is_not_clear(client: httpx.Client, query: str, named: list[str]) -> None:
    error = error_of(client.get(f"{COMPARISON}?{query}"), 400)
    assert (error["code"], fields(error)) == ("VALIDATION_ERROR", named)


@pytest.mark.usefixtures("versions")
@pytest.mark.parametrize(
    ("query", "named"),
    [
        ("baseline=v3", ["baseline"]),
        ("baseline=v1&candidate=V2", ["candidate"]),
        ("candidate=%FF", ["candidate"]),
        # the newest is no baseline of a newer one, nor the oldest a candidate after an older one
        ("baseline=v2", []),
        ("candidate=v1", []),
    ],
)
def test_it_answers_404_for_a_version_that_is_not_there(client: httpx.Client, query: str, named: list[str]) -> None:
    error = error_of(client.get(f"{COMPARISON}?{query}"), 404)
    assert (error["code"], fields(error)) == ("NOT_FOUND", named)


def test_a_prompt_with_one_version_has_nothing_to_compare(
    client: httpx.Client, database_url: str, versions: list[str]
) -> None:
    with connect(database_url, application_name="test", statement_timeout_ms=20_000) as connection:
        fold_all(connection)
        connection.execute("DELETE FROM rollups WHERE version_key = (SELECT max(id) FROM prompt_versions)")
    assert "no second version" in error_of(client.get(COMPARISON), 404)["message"]
    assert fields(error_of(client.get(f"{COMPARISON}?candidate={versions[1]}"), 404)) == ["candidate"]


def test_it_answers_404_for_a_prompt_that_the_project_never_used(client: httpx.Client) -> None:
    assert error_of(client.get(COMPARISON), 404)["code"] == "NOT_FOUND"
    assert error_of(client.get(f"{PATH}/batch/comparison"), 404)["code"] == "NOT_FOUND"


@pytest.mark.parametrize("prompt_id", ["1", PROMPT.replace("-", ""), "%00"])
def test_it_refuses_a_prompt_id_that_is_no_uuid(client: httpx.Client, prompt_id: str) -> None:
    assert fields(error_of(client.get(f"{PATH}/{prompt_id}/comparison"), 400)) == ["prompt_id"]


@pytest.mark.usefixtures("versions")
def test_it_never_echoes_what_was_asked(client: httpx.Client) -> None:
    for query in ("baseline=<script>", "candidate=<script>&baseline=<script>", "interval=<script>"):
        assert "script" not in client.get(f"{COMPARISON}?{query}").text


def test_it_is_for_keys_that_may_read(web: str, database_url: str, read_key: str) -> None:
    headers = {"Authorization": f"Bearer {create_key(database_url, scopes=['ingest'])}"}
    assert error_of(httpx.get(web + COMPARISON, headers=headers), 403)["code"] == "FORBIDDEN"
    assert error_of(httpx.get(f"{web}{COMPARISON}?x=y"), 401)["code"] == "UNAUTHORIZED"


def test_it_can_only_be_read(client: httpx.Client) -> None:
    assert error_of(client.post(COMPARISON, json={}), 405)["code"] == "METHOD_NOT_ALLOWED"

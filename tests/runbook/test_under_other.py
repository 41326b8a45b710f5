"""A client makes a new version with each event, and another one a new prompt."""

from collections.abc import Callable
from uuid import uuid4

import psycopg
import pytest
import redis
from flask.testing import FlaskClient

from app.core.stream.state import STREAM
from tests.batches import BATCH_PATH, EVENT, bearer
from tests.conftest import StartProcess
from tests.runbook_entries import Operator, entries
from tests.waiting import wait_until

pytestmark = pytest.mark.timeout(180)


def test_a_client_sends_new_versions_and_prompts_without_end(
    *,
    operator: Operator,
    client: FlaskClient,
    database_url: str,
    start: StartProcess,
    stored: Callable[[], int],
    redis_client: redis.Redis,
) -> None:
    wrong = [{**EVENT, "version_hash": f"2026-11-28T03:04:05.{number:03}"} for number in range(30)]
    wrong += [{**EVENT, "prompt_id": str(uuid4())} for _ in range(30)]
    sent = client.post(BATCH_PATH, json={"events": wrong}, headers=bearer(database_url))
    assert sent.status_code == 204
    wait_until(lambda: redis_client.keys("pa:events-by-key:*"))
    worker = start("worker", max_new_versions_per_prompt="10", max_new_prompts_per_project="10")
    wait_until(lambda: redis_client.xlen(STREAM) == 0, 60)
    assert stored() == 60
    entry = entries()["counted_under_other"]
    wait_until(lambda: worker.log().count("than are registered") == 2, 30)
    said = [line for line in worker.log().splitlines() if "than are registered" in line]
    assert all(entry.says(line) for line in said)
    assert all("docs/runbook.md#counted_under_other" in line for line in said)
    assert all("test (id " in line for line in said)
    with psycopg.connect(database_url) as connection:
        names = connection.execute("SELECT name FROM projects").fetchall()
    printed = operator.follow("counted_under_other", PROJECT=names[0][0])
    assert EVENT["prompt_id"] in printed[0]
    assert "2026-11-28T03:04:05.0" in printed[1]
    assert "(10 rows)" in printed[1]

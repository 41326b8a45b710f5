"""What real web processes write down of the events that they acknowledge, and what becomes of it when they end."""

from uuid import UUID

import httpx
import psycopg
import pytest

from app.core.contract import ANALYTICS_PATH, BATCH_PATH
from app.core.redis_client import connect as connect_redis
from app.core.stream.losses import look_for_losses
from tests.api_keys import create_key
from tests.conftest import StartProcess
from tests.drains import open_connection, run_drain
from tests.waiting import wait_until

pytestmark = pytest.mark.usefixtures("clean_database", "clean_redis")

EVENT = {"prompt_id": str(UUID(int=1)), "version_hash": "v1"}
COUNT = "SELECT coalesce(sum(upper(run) - lower(run)), 0) FROM acknowledgements, unnest(numbers) AS run"


def acknowledged(database_url: str) -> int:
    with psycopg.connect(database_url) as connection:
        row = connection.execute(COUNT).fetchone()
        assert row is not None
        return int(row[0])


def send(url: str, database_url: str) -> int:
    """How many events were acknowledged, of which the last ones just now."""
    headers = {"Authorization": f"Bearer {create_key(database_url)}"}
    with httpx.Client(base_url=url, headers=headers) as client:
        for _ in range(20):
            assert client.post(ANALYTICS_PATH, json=EVENT).status_code == 204
        assert client.post(BATCH_PATH, json={"events": [EVENT] * 30}).status_code == 204
    return 50


@pytest.mark.parametrize("fast_paths", ["on", "off"])
def test_a_web_process_writes_down_what_it_acknowledged(start: StartProcess, database_url: str, fast_paths: str):
    web = start("web", web_concurrency="2", fast_paths=fast_paths)
    sent = send(web.url, database_url)
    wait_until(lambda: acknowledged(database_url) == sent)


def test_it_does_so_also_when_it_is_told_to_end(start: StartProcess, database_url: str):
    web = start("web", web_concurrency="2")
    sent = send(web.url, database_url)
    web.stop()
    assert acknowledged(database_url) == sent


def test_a_killed_process_is_no_cause_of_false_alarm(start: StartProcess, database_url: str, redis_url: str):
    web = start("web", web_concurrency="2")
    sent = send(web.url, database_url)
    web.kill()
    with open_connection(database_url) as connection, connect_redis(redis_url, timeout_seconds=5) as client:
        assert look_for_losses(connection, client) == 0
        assert run_drain(connection, client).stored == sent
        assert look_for_losses(connection, client) == 0


def test_what_was_acknowledged_while_postgresql_was_away_is_written_down_later(
    start: StartProcess, postgres, database_url: str
):
    web = start("web", web_concurrency="1")
    key = create_key(database_url)
    headers = {"Authorization": f"Bearer {key}"}
    with httpx.Client(base_url=web.url, headers=headers) as client:
        assert client.post(ANALYTICS_PATH, json=EVENT).status_code == 204
        postgres.stop()
        try:
            for _ in range(5):
                assert client.post(ANALYTICS_PATH, json=EVENT).status_code == 204
        finally:
            postgres.restart()
    wait_until(lambda: acknowledged(database_url) == 6, 30)

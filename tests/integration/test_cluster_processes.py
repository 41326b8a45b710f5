"""Web and worker on a real Redis Cluster, as the Procfile starts them."""

import json
import subprocess
import sys
from uuid import UUID

import httpx
import psycopg
import pytest

from app.core.contract import ANALYTICS_PATH
from app.local.children import REPOSITORY
from chaos.redis_cluster import RunningCluster
from tests.api_keys import create_key
from tests.processes import app_environment
from tests.waiting import wait_until

BODY = {"prompt_id": str(UUID(int=7)), "version_hash": "v", "cost_usd": 0.5}
CLUSTER = {"redis_cluster": "on", "buffer_streams": "3"}


@pytest.fixture(scope="session")
def redis_url(redis_cluster: RunningCluster) -> str:
    return redis_cluster.url


def test_events_flow_without_a_queue_and_everything_adds_up(
    redis_cluster: RunningCluster, redis_url: str, start, database_url: str, clean_database: None
):
    redis_cluster.empty()
    key = create_key(database_url, rate_limit="8/minute")
    web = start("web", **CLUSTER)
    with httpx.Client(base_url=web.url, headers={"Authorization": f"Bearer {key}"}, timeout=30) as client:
        for number in range(8):
            answer = client.post(ANALYTICS_PATH, json=BODY, headers={"Idempotency-Key": f"{number}"})
            assert (answer.status_code, answer.headers["X-RateLimit-Remaining"]) == (204, f"{7 - number}")
        assert client.post(ANALYTICS_PATH, json=BODY).status_code == 429
        assert "prompt_analytics_buffered_events 8.0" in _metrics(client)
        # nobody wakes it: it looks by itself
        start("worker", **CLUSTER)
        wait_until(lambda: _stored(database_url) == 8, 60)
        ready = wait_until(lambda: _when_ready(client), 30)
    assert set(ready["data"]["checks"].values()) == {"ok"}
    environment = app_environment(database_url, redis_url, **CLUSTER)
    command = [sys.executable, "-m", "app", "status", "--json"]
    told = subprocess.run(
        command, env=environment, cwd=REPOSITORY, capture_output=True, text=True, timeout=60, check=True
    )
    assert json.loads(told.stdout)["buffer_depth"] == 0
    assert "a failover can lose" in json.loads(told.stdout)["a_204_means"]


def _stored(database_url: str) -> int:
    with psycopg.connect(database_url) as connection:
        row = connection.execute("SELECT count(*) FROM events").fetchone()
    assert row is not None
    return int(row[0])


def _metrics(client: httpx.Client) -> str:
    return client.get("/metrics").text


def _when_ready(client: httpx.Client):
    answer = client.get("/readyz")
    return answer.json() if answer.status_code == 200 else None

"""Redis is down, full, wrongly set or empty: the entry says so, and its commands lead out of it."""

import json
import re
from collections.abc import Callable
from typing import Any

import psycopg
import redis

from app.core.stream.state import GROUP, STREAM
from app.local.redis_server import RunningRedis
from tests.conftest import StartProcess
from tests.processes import AppProcess
from tests.runbook_entries import Operator, entries
from tests.waiting import wait_until


def test_redis_is_down(
    operator: Operator, problem: Callable[[str], str], is_ready: Callable[[], bool], redis_server: RunningRedis
) -> None:
    redis_server.stop()
    assert entries()["redis"].says(problem("redis"))
    printed = operator.follow("redis", may_fail={1}, after={1: redis_server.restart})
    assert "PONG" in printed[1]
    wait_until(is_ready)


def test_redis_evicts_and_forgets(
    operator: Operator,
    problem: Callable[[str], str],
    is_ready: Callable[[], bool],
    redis_client: redis.Redis,
    redis_server: RunningRedis,
) -> None:
    redis_client.config_set("maxmemory-policy", "allkeys-lru")
    redis_client.config_set("appendonly", "no")
    found = problem("redis_settings")
    for sentence in ("Redis may evict", "Redis forgets"):
        assert sentence in found
        assert sentence in entries()["redis_settings"].parts["Shows"]
    assert entries()["redis_settings"].says(found)
    operator.follow("redis_settings")
    wait_until(is_ready)
    written = (redis_server.data_dir / "redis.conf").read_text()
    assert "appendonly yes" in written


def test_redis_is_full(
    operator: Operator,
    problem: Callable[[str], str],
    post: Callable[[], int],
    is_ready: Callable[[], bool],
    redis_client: redis.Redis,
) -> None:
    redis_client.config_set("maxmemory", str(redis_client.info("memory")["used_memory"]))
    assert entries()["redis_memory"].says(problem("redis_memory"))
    assert post() == 429
    operator.follow("redis_memory", MAXMEMORY="1gb")
    wait_until(is_ready)
    assert post() == 204


def acknowledge(post: Callable[[], int], database_url: str, *, events: int) -> None:
    for _ in range(events):
        assert post() == 204
    with psycopg.connect(database_url, autocommit=True) as connection:
        acknowledged = "SELECT coalesce(sum(upper(run) - lower(run)), 0) FROM acknowledgements, unnest(numbers) AS run"
        wait_until(lambda: connection.execute(acknowledged).fetchone() == (events,))


def test_redis_lost_its_data(
    *,
    operator: Operator,
    post: Callable[[], int],
    redis_client: redis.Redis,
    database_url: str,
    work: Callable[[], AppProcess],
    stored: Callable[[], int],
) -> None:
    acknowledge(post, database_url, events=3)
    redis_client.flushall()
    printed = operator.follow("redis_lost_data", may_fail={1})
    assert "3 events lost" in printed[0]
    assert "appendonly" in printed[0]
    assert post() == 204
    work()
    assert wait_until(stored) == 1


def test_acknowledged_events_are_missing(
    *,
    operator: Operator,
    problem: Callable[[str], str],
    post: Callable[[], int],
    is_ready: Callable[[], bool],
    redis_client: redis.Redis,
    database_url: str,
) -> None:
    acknowledge(post, database_url, events=4)
    redis_client.flushall()
    operator.run("python -m app ledger")
    assert entries()["losses"].says(problem("losses"))
    printed = operator.follow("losses")
    assert printed[0].splitlines()[1].split()[:2] == ["demo", "4"]
    wait_until(is_ready)
    assert json.loads(operator.run("python -m app status --json").stdout)["lost_events"] == 4


def test_somebody_takes_events_and_writes_nothing_down(
    *,
    operator: Operator,
    post: Callable[[], int],
    is_ready: Callable[[], bool],
    start: StartProcess,
    redis_client: redis.Redis,
    database_url: str,
) -> None:
    acknowledge(post, database_url, events=2)
    answer: Any = redis_client.xreadgroup(GROUP, "somebody", {STREAM: ">"})
    taken = [entry_id for entry_id, _ in answer[0][1]]
    redis_client.xack(STREAM, GROUP, *taken)
    redis_client.xdel(STREAM, *taken)
    worker = start("worker")
    said = wait_until(lambda: [line for line in worker.log().splitlines() if "nothing down" in line], 40)
    assert entries()["untraced"].says(said[0])
    assert "docs/runbook.md#untraced" in said[0]
    assert post() == 204
    wait_until(lambda: redis_client.xlen(STREAM) == 0, 40)
    printed = operator.follow("untraced")
    assert "somebody" in printed[0]
    assert "+ledger" in printed[0]
    assert re.search(r"Z +demo .* 2 ", printed[0])
    assert re.search(r"Untraced +2 \(see docs/runbook.md#untraced\)", printed[1])
    assert is_ready()

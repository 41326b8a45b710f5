"""PostgreSQL goes back in time: nothing here can know it, and the entry leads to what clients still have."""

import shutil
import subprocess
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest
import redis
from flask.testing import FlaskClient

from app.core.migrations import migrate
from app.core.stream.state import STREAM
from app.local.children import Guard
from app.local.postgres import RunningPostgres, start_postgres
from tests.batches import EVENT, PATH, bearer
from tests.processes import app_environment, start_process
from tests.runbook_entries import Operator
from tests.waiting import wait_until

pytestmark = pytest.mark.timeout(180)


@pytest.fixture
def own_postgres(tmp_path: Path, guard: Guard, wheels_only: bool) -> Iterator[RunningPostgres]:
    server = start_postgres(tmp_path / "postgres", guard, durable=False, wheels_only=wheels_only)
    migrate(server.url)
    yield server
    server.stop()


@pytest.fixture
def own_operator(own_postgres: RunningPostgres, redis_url: str, clean_redis: None) -> Operator:
    return Operator(app_environment(own_postgres.url, redis_url))


class Service:
    """A worker while it is needed, and one web process that lives through it all."""

    def __init__(self, client: FlaskClient, environment: dict[str, str], guard: Guard, folder: Path) -> None:
        self._environment, self._guard, self._folder = environment, guard, folder
        self._sent_at = datetime.now(UTC).isoformat()
        self._headers = bearer(environment["DATABASE_URL"])
        self._client = client

    def send(self, number: int) -> bool:
        """Whether it was taken for a repeat."""
        headers = {**self._headers, "Idempotency-Key": f"event-{number}"}
        answer = self._client.post(
            PATH, json={**EVENT, "latency_ms": number, "timestamp": self._sent_at}, headers=headers
        )
        assert answer.status_code == 204, answer.text
        return "Idempotent-Replayed" in answer.headers

    def stored_by_a_worker(self) -> list[int]:
        """What is stored once the buffer is empty and the ledger is written down."""
        numbering = self._client.application.extensions["prompt_analytics"].buffer._numbering
        wait_until(numbering.flush)
        worker = start_process("worker", self._guard, self._folder, self._environment)
        try:
            with redis.Redis.from_url(self._environment["REDIS_URL"]) as client:
                wait_until(lambda: client.xlen(STREAM) == 0, 40)
        finally:
            worker.stop()
        with psycopg.connect(self._environment["DATABASE_URL"]) as connection:
            return [int(row[0]) for row in connection.execute("SELECT latency_ms FROM events ORDER BY latency_ms")]


def copy_of(folder: Path) -> Path:
    backup = folder.with_name("backup")
    subprocess.run(["cp", "-a", str(folder), str(backup)], check=True)
    return backup


def test_postgresql_is_restored_from_a_backup(
    *,
    own_operator: Operator,
    own_postgres: RunningPostgres,
    redis_url: str,
    guard: Guard,
    tmp_path: Path,
    open_client: Callable[..., FlaskClient],
) -> None:
    began_in_hour = f"{datetime.now(UTC):%H}"
    service = Service(open_client(own_postgres.url, redis_url), dict(own_operator.environment), guard, tmp_path)
    for number in range(3):
        service.send(number)
    assert service.stored_by_a_worker() == [0, 1, 2]
    own_postgres.stop()
    backup = copy_of(own_postgres.data_dir)
    own_postgres.restart()
    for number in range(3, 7):
        service.send(number)
    assert service.stored_by_a_worker() == [0, 1, 2, 3, 4, 5, 6]

    own_postgres.stop()
    shutil.rmtree(own_postgres.data_dir)
    backup.rename(own_postgres.data_dir)
    own_postgres.restart()
    service.send(7)
    # what the entry warns of: nobody knows, and who sends again is told that all is well
    assert own_operator.run("python -m app ledger").returncode == 0
    assert service.send(3)

    found: list[list[int]] = []
    printed = own_operator.follow("restore", after={1: lambda: found.append(service.stored_by_a_worker())})
    assert found == [[0, 1, 2, 7]]
    assert "demo" in printed[1]
    if f"{datetime.now(UTC):%H}" == began_in_hour:
        assert printed[2].splitlines()[2].split("|")[2].strip() == "4"
    assert "demo" in printed[3]
    assert [service.send(number) for number in range(7)] == [False] * 7
    assert service.stored_by_a_worker() == [0, 1, 2, 3, 4, 5, 6, 7]
    assert own_operator.run("python -m app ledger").returncode == 0

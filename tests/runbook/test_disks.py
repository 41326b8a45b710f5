"""A disk is full: a small one, in memory, where this machine lets the tests mount it."""

import subprocess
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest
import redis
from flask.testing import FlaskClient

from app.core.migrations import migrate
from app.core.stream.state import STREAM
from app.local.children import Guard
from app.local.postgres import RunningPostgres, start_postgres
from app.local.redis_server import RunningRedis, start_redis
from tests.batches import EVENT, PATH, bearer
from tests.health import problems
from tests.processes import app_environment, start_process
from tests.runbook_entries import Operator, entries
from tests.sign_in import create_project
from tests.stored_events import an_event, store_events
from tests.waiting import wait_until

pytestmark = pytest.mark.timeout(180)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Callable[[int], Path]]:
    """Calling it mounts a disk of so many megabytes."""
    folder = tmp_path / "disk"
    folder.mkdir()

    def mount(megabytes: int) -> Path:
        command = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(folder)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            pytest.skip(f"no small disk can be mounted here: {done.stderr.strip()}")
        return folder

    yield mount
    subprocess.run(["umount", "--lazy", str(folder)], capture_output=True, check=False)


def fill(folder: Path) -> Path:
    """A file that leaves no room for anything else."""
    ballast = folder / "ballast"
    with ballast.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(b"\0" * 4096)
        except OSError:
            return ballast


@pytest.fixture
def own_redis(disk: Callable[[int], Path], guard: Guard, wheels_only: bool) -> Iterator[RunningRedis]:
    server = start_redis(disk(8) / "redis", guard, wheels_only=wheels_only)
    yield server
    server.kill()


def test_the_disk_of_redis_is_full(
    own_redis: RunningRedis, database_url: str, clean_database: None, open_client: Callable[..., FlaskClient]
) -> None:
    operator = Operator(app_environment(database_url, own_redis.url))
    client = open_client(database_url, own_redis.url)
    headers = bearer(database_url)
    assert client.post(PATH, json=EVENT, headers=headers).status_code == 204
    ballast = fill(own_redis.data_dir.parent)

    def post() -> int:
        return client.post(PATH, json=EVENT, headers=headers).status_code

    wait_until(lambda: post() == 503)
    wait_until(lambda: client.get("/readyz").status_code == 503)
    found = problems(client)
    assert entries()["redis_disk"].says(found["redis_settings"])
    printed = operator.follow("redis_disk", after={1: ballast.unlink})
    assert "aof_last_write_status:err" in printed[0]
    assert "rewriting" in printed[1]
    wait_until(lambda: post() == 204)
    wait_until(lambda: client.get("/readyz").status_code == 200)


@pytest.fixture
def own_postgres(disk: Callable[[int], Path], guard: Guard, wheels_only: bool) -> Iterator[RunningPostgres]:
    server = start_postgres(disk(160) / "postgres", guard, durable=False, wheels_only=wheels_only)
    migrate(server.url)
    yield server
    server.kill()


def test_the_disk_of_postgresql_is_full(
    *,
    own_postgres: RunningPostgres,
    redis_url: str,
    clean_redis: None,
    guard: Guard,
    tmp_path: Path,
    open_client: Callable[..., FlaskClient],
) -> None:
    operator = Operator(app_environment(own_postgres.url, redis_url))
    client = open_client(own_postgres.url, redis_url)
    assert client.post(PATH, json=EVENT, headers=bearer(own_postgres.url)).status_code == 204
    project_id = create_project(own_postgres.url, "of yesterday")
    store_events(own_postgres.url, [an_event(project_id, timedelta(days=1)) for _ in range(1_000)])
    ballast = fill(own_postgres.data_dir.parent)
    worker = start_process("worker", guard, tmp_path, dict(operator.environment))
    try:
        said = wait_until(lambda: [line for line in worker.log().splitlines() if "DiskFull" in line], 60)
        assert entries()["postgresql_disk"].says(said[0])
        oldest = f"events_{datetime.now(UTC) - timedelta(days=1):%Y%m%d}"
        printed = operator.follow("postgresql_disk", after={1: ballast.unlink}, PARTITION=oldest)
        assert oldest in printed[0]
        with redis.Redis.from_url(redis_url) as buffer:
            wait_until(lambda: buffer.xlen(STREAM) == 0, 60)
    finally:
        worker.kill()
    with psycopg.connect(own_postgres.url) as connection:
        assert connection.execute("SELECT count(*) FROM events").fetchone() == (1,)

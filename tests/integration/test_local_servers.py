""""""

import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import psycopg
import pytest
import redis

from app.local.binaries import find_postgres, find_redis
from app.local.children import REPOSITORY, Guard
from app.local.errors import CannotRun
from app.local.identity import OTHER_USERS
from app.local.ports import free_port, is_free
from app.local.postgres import NEEDED_NAMES, PASSWORD_NAME, start_postgres
from app.local.redis_server import start_redis
from tests.waiting import wait_until


@pytest.fixture
def own_guard() -> Iterator[Guard]:
    with Guard() as guard:
        yield guard


def execute(url: str, statement: str) -> list[tuple[object, ...]]:
    with psycopg.connect(url, autocommit=True) as connection:
        cursor = connection.execute(statement.encode())
        return cursor.fetchall() if cursor.description else []


def refusal(start: Callable[[], object]) -> str:
    with pytest.raises(CannotRun) as caught:
        start()
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_postgres_keeps_what_was_committed_through_kill_9_and_a_new_start(tmp_path, own_guard, wheels_only):
    server = start_postgres(tmp_path / "postgres", own_guard, durable=False, wheels_only=wheels_only)
    execute(server.url, "CREATE TABLE kept AS SELECT 1 AS one")
    server.kill()
    server.restart()
    assert execute(server.url, "SELECT one FROM kept") == [(1,)]
    server.stop()
    again = start_postgres(tmp_path / "postgres", own_guard, durable=False, wheels_only=wheels_only)
    assert execute(again.url, "SELECT one FROM kept") == [(1,)]


@pytest.mark.skipif(os.geteuid() != 0, reason="an ordinary user runs it as itself")
def test_root_runs_postgres_as_another_user_where_namespaces_are_forbidden(
    tmp_path, own_guard, wheels_only, monkeypatch
):
    monkeypatch.setattr("app.local.identity.USER_NAMESPACE", ("false",))
    tmp_path.chmod(0o700)
    server = start_postgres(tmp_path / "postgres", own_guard, durable=False, wheels_only=wheels_only)
    assert psutil.Process(server.pid).username() in OTHER_USERS
    assert execute(server.url, "SELECT 1") == [(1,)]


def test_redis_keeps_what_it_answered_through_kill_9_and_a_new_start(tmp_path, own_guard, wheels_only):
    server = start_redis(tmp_path / "redis", own_guard, wheels_only=wheels_only)
    with redis.Redis.from_url(server.url) as client:
        client.set("kept", "1")
    server.kill()
    server.restart()
    with redis.Redis.from_url(server.url) as client:
        assert client.get("kept") == b"1"
    server.stop()
    with redis.Redis.from_url(start_redis(tmp_path / "redis", own_guard, wheels_only=wheels_only).url) as client:
        assert client.get("kept") == b"1"
        assert client.config_get("appendonly") == {"appendonly": "yes"}
        assert client.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}


def test_the_servers_want_a_password_and_listen_on_this_machine_only(postgres, redis_server):
    with pytest.raises(psycopg.OperationalError, match="password"):
        psycopg.connect(f"postgresql://prompt_analytics:wrong@127.0.0.1:{postgres.port}/prompt_analytics")
    with redis.Redis(port=redis_server.port) as client, pytest.raises(redis.AuthenticationError):
        client.ping()
    for pid in (postgres.pid, redis_server.pid):
        listening = [each for each in psutil.Process(pid).net_connections() if each.status == psutil.CONN_LISTEN]
        assert {each.laddr.ip for each in listening} == {"127.0.0.1"}


def test_no_password_can_be_read_from_a_command_line_or_by_another_user(postgres, redis_server):
    for server, secret_file in ((postgres, PASSWORD_NAME), (redis_server, "redis.conf")):
        password = server.url.split("@")[0].split(":")[-1]
        assert password not in " ".join(psutil.Process(server.pid).cmdline())
        path = server.data_dir / secret_file
        assert password in path.read_text()
        assert path.stat().st_mode & 0o077 == 0


@pytest.fixture
def postgres_folder(tmp_path: Path) -> Path:
    """What a data folder must have, as far as one can see without starting a server."""
    for name in NEEDED_NAMES:
        (tmp_path / "postgres" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "postgres" / name).write_text(f"{find_postgres().major}\n")
    return tmp_path / "postgres"


@pytest.mark.parametrize("lost", NEEDED_NAMES, ids=range(len(NEEDED_NAMES)))
def test_a_damaged_postgres_folder_gives_one_line(postgres_folder, own_guard, lost):
    (postgres_folder / lost).unlink()
    message = refusal(lambda: start_postgres(postgres_folder, own_guard))
    assert f"{lost} is missing" in message
    assert "remove the folder" in message


def test_data_of_a_postgres_that_is_not_here_gives_one_line(postgres_folder, own_guard):
    (postgres_folder / "PG_VERSION").write_text("9\n")
    assert "PostgreSQL 9, which made the data" in refusal(lambda: start_postgres(postgres_folder, own_guard))


def test_a_stale_pid_file_does_not_keep_postgres_from_starting(tmp_path, own_guard, wheels_only):
    start_postgres(tmp_path / "postgres", own_guard, durable=False, wheels_only=wheels_only).stop()
    (tmp_path / "postgres" / "postmaster.pid").write_text(f"{os.getpid()}\n")
    start_postgres(tmp_path / "postgres", own_guard, durable=False, wheels_only=wheels_only)


def test_a_start_that_was_cut_off_leaves_nothing_half_made(tmp_path, own_guard, wheels_only):
    unfinished = tmp_path / "postgres.new"
    unfinished.mkdir()
    (unfinished / "PG_VERSION").write_text("15\n")
    start_postgres(tmp_path / "postgres", own_guard, durable=False, wheels_only=wheels_only)
    assert not unfinished.exists()


def test_a_server_that_does_not_start_says_why_in_one_line(tmp_path, own_guard, wheels_only):
    start_redis(tmp_path / "redis", own_guard, wheels_only=wheels_only).stop()
    (tmp_path / "redis" / "appendonly.aof").write_text("no such thing\n")
    shutil.rmtree(tmp_path / "redis" / "appendonlydir", ignore_errors=True)
    message = refusal(lambda: start_redis(tmp_path / "redis", own_guard, wheels_only=wheels_only))
    assert message.startswith("Redis did not start:")
    assert str(tmp_path / "redis.log") in message


def test_an_append_only_file_of_a_later_redis_is_not_overlooked(tmp_path, own_guard):
    if find_redis().version >= (7,):
        pytest.skip("this Redis reads it")
    (tmp_path / "redis" / "appendonlydir").mkdir(parents=True)
    assert "Redis 7" in refusal(lambda: start_redis(tmp_path / "redis", own_guard))


def test_binaries_come_from_the_wheels_where_the_system_has_none(monkeypatch):
    monkeypatch.setattr("app.local.binaries.POSTGRES_FOLDERS", ())
    monkeypatch.setenv("PATH", "/nowhere")
    assert find_postgres().folder.is_relative_to(sys.prefix)
    assert find_redis().path.is_relative_to(sys.prefix)


def test_a_missing_server_gives_one_line_with_the_remedy(monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.setattr("app.local.binaries._package_folder", lambda _name: None)
    monkeypatch.setattr("app.local.binaries.POSTGRES_FOLDERS", ())
    assert "REDIS_URL" in refusal(find_redis)
    assert "DATABASE_URL" in refusal(find_postgres)


def test_a_port_is_free_until_somebody_listens():
    port = free_port()
    assert is_free(port)
    with socket.create_server(("127.0.0.1", port)):
        assert not is_free(port)


STARTER = """
import sys
from pathlib import Path
from app.local.children import Guard
from app.local.postgres import start_postgres
from app.local.redis_server import start_redis
folder = Path(sys.argv[1])
guard = Guard()
print(start_postgres(folder / "postgres", guard, durable=False).pid, start_redis(folder / "redis", guard).pid)
stubborn = guard.start(["sh", "-c", "trap '' TERM; sleep 1000 & wait; sleep 1000"], log_path=folder / "stubborn.log")
print(stubborn.pid, flush=True)
sys.stdin.read()
"""


def test_the_guard_ends_everything_when_its_starter_is_killed(tmp_path):
    with subprocess.Popen(
        [sys.executable, "-c", STARTER, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=REPOSITORY,
        start_new_session=True,
    ) as starter:
        assert starter.stdout is not None
        pids = [int(pid) for _ in range(2) for pid in starter.stdout.readline().split()]
        assert len(pids) == 3
        family = [psutil.Process(starter.pid), *psutil.Process(starter.pid).children(recursive=True)]
        assert set(pids) < {process.pid for process in family}
        os.kill(starter.pid, signal.SIGKILL)
    wait_until(lambda: not any(process.is_running() for process in family), timeout_seconds=30)


def test_a_program_that_does_not_exist_leaves_its_word_in_the_log(own_guard, tmp_path):
    child = own_guard.start(["/no/such/program"], log_path=tmp_path / "log")
    wait_until(lambda: child.exit_code() is not None)
    assert "/no/such/program" in (tmp_path / "log").read_text()

"""`make run`: everything on this machine, from the servers to a first API key, and nothing left of it afterwards."""

import json
import os
import secrets
import select
import shutil
import signal
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from http import HTTPStatus
from pathlib import Path
from types import FrameType

from app.local.announcement import announcement, complain, say
from app.local.children import REPOSITORY, Guard
from app.local.errors import CannotRun
from app.local.first_access import first_access
from app.local.ports import is_free
from app.local.postgres import start_postgres
from app.local.processes import SupervisedProcess
from app.local.procfile import process_environment, read_procfile, shell_command
from app.local.redis_server import start_redis
from app.local.running import RUNNING_NAME, locked, write_secret
from app.local.servers import RunningServer
from app.local.web_client import get
from config.settings import Settings, load_settings

READY_SECONDS = 60.0
RELEASE_SECONDS = 600.0
STOP_SECONDS = 12.0
LOOK_SECONDS = 0.2
SECRET_KEY_NAME = "secret-key"  # noqa: S105 - the name of a file
SHORTEST_SECRET = 32
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Stop(BaseException):
    """Somebody wants this run to end; no Exception, so that nothing on its way takes it for a failure."""


def run(data_dir: Path, environment: Mapping[str, str], *, parent_pid: int | None, wheels_only: bool) -> None:
    """Runs until it is told to stop, or until its parent has gone; CannotRun is one line for a person."""
    terminals = [descriptor for descriptor in (0, 1, 2) if os.isatty(descriptor)]
    checked = _check_settings(environment)
    port = checked.port
    with ExitStack() as stack:
        stack.enter_context(_stop_on_signals())
        data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        guard = stack.enter_context(Guard(inherited_fds=[stack.enter_context(locked(data_dir))]))
        _check_port(port)
        servers, urls = _start_servers(data_dir, guard, environment, wheels_only=wheels_only)
        settings = {**urls, "secret_key": environment.get("SECRET_KEY") or _kept_secret_key(data_dir)}
        stack.enter_context(_running_file(data_dir, settings, port))
        whole = process_environment(environment, **settings, port=str(port))
        whole["TMPDIR"] = str(_empty_folder(data_dir / "tmp"))
        # Only this machine is meant to see it.
        whole.setdefault("GUNICORN_CMD_ARGS", f"--bind=127.0.0.1:{port}")
        processes = stack.enter_context(_processes(data_dir, guard, whole))
        _wait_until_ready(port, processes)
        own_database = not environment.get("DATABASE_URL")
        access = first_access(data_dir, guard, whole, port, own_database=own_database)
        say(announcement(checked.public_url or f"http://127.0.0.1:{port}", access, data_dir))
        while (parent_pid is None or os.getppid() == parent_pid) and not _hung_up(terminals):
            _look_after(guard, processes, servers)
            time.sleep(LOOK_SECONDS)


def _empty_folder(folder: Path) -> Path:
    """For the temporary files of processes that may be killed: they go at the next start."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o700)
    return folder


def _check_settings(environment: Mapping[str, str]) -> Settings:
    """Raises SettingsError for all that is wrong with those settings which are given; stand-ins fill the others."""
    later = {
        "DATABASE_URL": "postgresql://later",
        "REDIS_URL": "redis://later",
        "SECRET_KEY": "later" * SHORTEST_SECRET,
    }
    return load_settings({**later, **{name: value for name, value in environment.items() if value}})


def _check_port(port: int) -> None:
    try:
        free = is_free(port) and is_free(port, "0.0.0.0")  # noqa: S104 - a look, nothing listens
    except PermissionError:
        raise CannotRun(f"only root may use port {port}: choose another one, as in PORT=8000 make run") from None
    if not free:
        raise CannotRun(f"port {port} is taken: choose another one, as in PORT={port + 1} make run")


@contextmanager
def _stop_on_signals() -> Iterator[None]:
    def stop(_number: int, _frame: FrameType | None) -> None:
        for each in STOP_SIGNALS:
            signal.signal(each, signal.SIG_IGN)
        raise Stop

    for each in STOP_SIGNALS:
        signal.signal(each, stop)
    try:
        yield
    except Stop:
        say("Stopped.")


def _start_servers(
    data_dir: Path, guard: Guard, environment: Mapping[str, str], *, wheels_only: bool
) -> tuple[dict[str, RunningServer], dict[str, str]]:
    servers: dict[str, RunningServer] = {}
    urls = {"database_url": environment.get("DATABASE_URL", ""), "redis_url": environment.get("REDIS_URL", "")}
    if not urls["redis_url"]:
        say("Starting Redis")
        servers["Redis"] = start_redis(data_dir / "redis", guard, wheels_only=wheels_only)
        urls["redis_url"] = servers["Redis"].url
    if not urls["database_url"]:
        say("Starting PostgreSQL")
        servers["PostgreSQL"] = start_postgres(data_dir / "postgres", guard, wheels_only=wheels_only)
        urls["database_url"] = servers["PostgreSQL"].url
    return servers, urls


def _kept_secret_key(data_dir: Path) -> str:
    path = data_dir / SECRET_KEY_NAME
    if path.exists() and len(kept := path.read_text().strip()) >= SHORTEST_SECRET:
        return kept
    made = secrets.token_urlsafe(48)
    write_secret(path, made)
    return made


@contextmanager
def _running_file(data_dir: Path, settings: Mapping[str, str], port: int) -> Iterator[None]:
    path = data_dir / RUNNING_NAME
    write_secret(path, json.dumps({**settings, "port": port, "pid": os.getpid()}))
    try:
        yield
    finally:
        path.unlink(missing_ok=True)


@contextmanager
def _processes(data_dir: Path, guard: Guard, environment: dict[str, str]) -> Iterator[list[SupervisedProcess]]:
    """Runs the release command, then all other processes of the Procfile; stops them before the servers stop."""
    commands = read_procfile()
    release = commands.pop("release")
    guard.run(
        shell_command(release), name=release, timeout_seconds=RELEASE_SECONDS, environment=environment, cwd=REPOSITORY
    )
    say(f"Starting {' and '.join(commands)}")
    processes: list[SupervisedProcess] = []
    try:
        for name, command in commands.items():
            processes.append(SupervisedProcess(name, command, guard, data_dir / "logs", environment))
        yield processes
    finally:
        for process in processes:
            process.ask_to_stop()
        for process in processes:
            process.stop(STOP_SECONDS)


def _wait_until_ready(port: int, processes: list[SupervisedProcess]) -> None:
    deadline = time.monotonic() + READY_SECONDS
    status, body = get(port, "/readyz")
    while status != HTTPStatus.OK:
        for process in processes:
            process.expect_running()
        if time.monotonic() > deadline:
            raise CannotRun(f"not ready after {READY_SECONDS:.0f} s: {body.strip() or 'web does not answer'}")
        time.sleep(0.05)
        status, body = get(port, "/readyz")


def _look_after(guard: Guard, processes: list[SupervisedProcess], servers: Mapping[str, RunningServer]) -> None:
    for name, server in servers.items():
        code = server.exit_code()
        if code is not None:
            complain(f"{name} ended with exit code {code}; starting it again")
            server.restart()
    for process in processes:
        process.look()
    if not guard.is_alive():
        raise CannotRun("the process that cleans up after this one was killed; stopping everything")


def _hung_up(terminals: list[int]) -> bool:
    """Whether a terminal was closed. The signal for that may have reached make alone, which does not pass it on."""
    poll = select.poll()
    for descriptor in terminals:
        poll.register(descriptor, 0)
    return bool(poll.poll(0))

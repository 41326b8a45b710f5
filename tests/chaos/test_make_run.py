"""`make run` as a newcomer meets it, and as it is killed."""

import json
import os
import re
import secrets
import shlex
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil
import pytest

from app.local import running_environment
from app.local.children import REPOSITORY, Child, Guard
from app.local.ports import free_port
from tests.processes import INHERITED
from tests.waiting import wait_until

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(180)]

UP = "Ctrl-C stops everything"
START_SECONDS = 90.0
LINUX_ONLY = pytest.mark.skipif(sys.platform != "linux", reason="other systems hide the environment of processes")


@dataclass
class Run:
    """One `python -m app.local`, which is what `make run` becomes."""

    child: Child
    data_dir: Path
    port: int
    terminal_path: Path

    def terminal(self) -> str:
        return self.terminal_path.read_text()

    def wait_until_up(self) -> "Run":
        wait_until(lambda: UP in self.terminal() or self.child.exit_code() is not None, START_SECONDS)
        assert UP in self.terminal(), self.terminal()
        return self

    def api_key(self) -> str:
        found = re.search(r"API key +(eg_live_\w+)", self.terminal())
        assert found
        return found[1]

    def is_ready(self) -> bool:
        try:
            return httpx.get(f"http://127.0.0.1:{self.port}/readyz").status_code == httpx.codes.OK
        except httpx.TransportError:
            return False

    def processes(self) -> list[psutil.Process]:
        """All that belong to it: they have its port in their environment, or work in its folder."""
        return [process for process in psutil.process_iter() if self._owns(process)]

    def _owns(self, process: psutil.Process) -> bool:
        try:
            if process.status() == psutil.STATUS_ZOMBIE:
                return False
            places = [process.cwd(), *process.cmdline()]
            return process.environ().get("PORT") == str(self.port) or any(str(self.data_dir) in one for one in places)
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            return False

    def events(self) -> int:
        answer = httpx.get(
            f"http://127.0.0.1:{self.port}/api/v1/prompts/analytics",
            headers={"Authorization": f"Bearer {self.api_key()}"},
        )
        assert answer.status_code == 200, answer.text
        return int(answer.json()["data"]["totals"]["events"])


class Runs:
    """Starts runs on one data folder and one port."""

    def __init__(self, data_dir: Path, guard: Guard, options: list[str]) -> None:
        self.data_dir = data_dir
        self.port = free_port()
        self._guard = guard
        self._options = options
        self._runs: list[Run] = []

    def end(self) -> None:
        """What a failed test has left."""
        for run in self._runs:
            if run.child.exit_code() is None:
                run.child.kill()
            gone(run)
        self._runs.clear()

    def start(self, **settings: str) -> Run:
        return self._start([sys.executable, "-m", "app.local", *self._arguments()], settings)

    def start_below_a_parent(self) -> Run:
        """The parent stands for make."""
        command = shlex.join([sys.executable, "-m", "app.local", *self._arguments()])
        return self._start(["sh", "-c", f"{command} --parent-pid=$$ & wait"], {})

    def start_in_a_terminal(self) -> Run:
        """The child is the terminal; like make, the shell in it keeps the signal of its closing for itself."""
        command = shlex.join([sys.executable, "-m", "app.local", *self._arguments()])
        terminal = "import pty, sys; pty.spawn(['sh', '-c', 'trap : HUP; ' + sys.argv[1] + '; true'])"
        return self._start([sys.executable, "-c", terminal, command], {})

    def fail(self, **settings: str) -> str:
        """The one line that a run leaves which cannot start."""
        run = self.start(**settings)
        wait_until(lambda: run.child.exit_code() is not None, START_SECONDS)
        assert run.child.exit_code() == 1, run.terminal()
        assert "Traceback" not in run.terminal()
        wait_until(lambda: not run.processes(), 15)
        return run.terminal().splitlines()[-1]

    def _arguments(self) -> list[str]:
        return ["--data-dir", str(self.data_dir), *self._options]

    def _start(self, command: list[str], settings: dict[str, str]) -> Run:
        terminal = self.data_dir.parent / f"terminal-{secrets.token_hex(4)}"
        environment = {name: os.environ[name] for name in INHERITED if name in os.environ}
        environment |= {"PORT": str(self.port), **{name.upper(): value for name, value in settings.items()}}
        child = self._guard.start(command, log_path=terminal, environment=environment, cwd=REPOSITORY)
        self._runs.append(Run(child, self.data_dir, self.port, terminal))
        return self._runs[-1]


@pytest.fixture(scope="module")
def first_runs(server_folder: Path, wheels_only: bool) -> Iterator[Runs]:
    """One data folder for most tests: making it takes longer than all the rest."""
    folder = server_folder / "runs"
    folder.mkdir()
    with Guard() as guard:
        yield Runs(folder / "data", guard, ["--wheels-only"] if wheels_only else [])
    shutil.rmtree(folder)


@pytest.fixture
def runs(first_runs: Runs) -> Iterator[Runs]:
    yield first_runs
    first_runs.end()


def gone(run: Run) -> None:
    wait_until(lambda: not run.processes(), 20)


def send(curl_line: str) -> httpx.Response:
    """Does what the printed line does, whether or not there is a curl."""
    words = iter(shlex.split(curl_line))
    assert next(words) == "curl"
    headers, body, url = {}, None, ""
    for word in words:
        if word == "-H":
            name, _, value = next(words).partition(": ")
            headers[name] = value
        elif word == "-d":
            body = next(words)
        elif word != "-i":
            url = word
    return httpx.request("GET" if body is None else "POST", url, headers=headers, content=body)


def test_the_printed_lines_lead_to_an_event_in_the_numbers_and_a_second_start_keeps_it(runs):
    run = runs.start().wait_until_up()
    write, read = re.findall(r"^ +(curl .*)$", run.terminal(), re.MULTILINE)
    before = run.events()
    assert send(write).status_code == 204
    wait_until(lambda: send(read).json()["data"]["totals"]["events"] == before + 1, timeout_seconds=10)
    sign_in = re.findall(r"^  (?:API key|Sign-in) .*$", run.terminal(), re.MULTILINE)
    assert len(sign_in) == 2
    run.child.stop(20)
    again = runs.start().wait_until_up()
    assert again.events() == before + 1
    assert re.findall(r"^  (?:API key|Sign-in) .*$", again.terminal(), re.MULTILINE) == sign_in
    again.child.stop(20)
    gone(again)


@LINUX_ONLY
@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGKILL])
def test_no_process_is_left_whatever_ends_it(runs, ending):
    run = runs.start().wait_until_up()
    names = {process.name() for process in run.processes()}
    assert "postgres" in names
    assert len(run.processes()) > 8
    os.kill(run.child.pid, ending)
    wait_until(lambda: run.child.exit_code() is not None, 30)
    gone(run)
    assert not (runs.data_dir / "running.json").exists() or ending == signal.SIGKILL
    assert "Traceback" not in run.terminal()


@LINUX_ONLY
def test_no_process_is_left_when_make_is_killed(runs):
    run = runs.start_below_a_parent().wait_until_up()
    os.kill(run.child.pid, signal.SIGKILL)
    gone(run)


@LINUX_ONLY
def test_no_process_is_left_when_its_terminal_is_closed(runs):
    run = runs.start_in_a_terminal().wait_until_up()
    os.kill(run.child.pid, signal.SIGKILL)
    gone(run)


@LINUX_ONLY
@pytest.mark.parametrize("moment", ["", "Starting Redis", "Starting PostgreSQL", "Starting web"])
def test_no_process_is_left_when_it_is_killed_while_it_starts(runs, moment):
    run = runs.start()
    wait_until(lambda: moment in run.terminal() or run.child.exit_code() is not None, START_SECONDS)
    os.kill(run.child.pid, signal.SIGKILL)
    gone(run)


def test_a_run_can_follow_a_killed_one_at_once(runs):
    killed = runs.start().wait_until_up()
    os.kill(killed.child.pid, signal.SIGKILL)
    following = runs.start().wait_until_up()
    following.child.stop(20)


COMMAND_LINES = {"web": "bin/gunicorn", "worker": "-m worker", "PostgreSQL": "bin/postgres", "Redis": "redis-server"}


@pytest.mark.parametrize("name", COMMAND_LINES)
def test_a_crashed_process_comes_back(runs, name):
    run = runs.start().wait_until_up()
    victims = [process for process in run.processes() if COMMAND_LINES[name] in " ".join(process.cmdline())]
    os.kill(min(victims, key=lambda process: process.create_time()).pid, signal.SIGKILL)
    wait_until(lambda: f"{name} ended with exit code -9; starting it again" in run.terminal(), 20)
    wait_until(run.is_ready, 30)
    run.child.stop(20)


def test_commands_beside_a_run_find_its_servers(runs):
    run = runs.start().wait_until_up()
    environment = running_environment(runs.data_dir)
    assert environment is not None
    done = subprocess.run(
        [sys.executable, "-m", "app", "status", "--json"],
        env={"PATH": os.environ["PATH"], **environment},
        cwd=REPOSITORY,
        capture_output=True,
        check=True,
    )
    assert json.loads(done.stdout)
    assert (runs.data_dir / "running.json").stat().st_mode & 0o077 == 0
    run.child.stop(20)
    assert running_environment(runs.data_dir) is None


def test_a_second_run_in_the_same_checkout_gives_one_line(runs):
    run = runs.start().wait_until_up()
    second = runs.start()
    wait_until(lambda: second.child.exit_code() is not None, START_SECONDS)
    assert second.child.exit_code() == 1
    assert "another `make run` is running" in second.terminal()
    run.child.stop(20)


def test_a_taken_port_gives_one_line(runs):
    with socket.create_server(("127.0.0.1", runs.port)):
        assert runs.fail() == f"port {runs.port} is taken: choose another one, as in PORT={runs.port + 1} make run"


def test_wrong_settings_give_lines_of_their_own(runs):
    assert "PORT" in runs.fail(port="many")
    assert "WEB_CONCURRENCY" in runs.fail(web_concurrency="none")


def test_lost_notes_are_made_again(runs):
    runs.start().wait_until_up().child.stop(20)
    for name in ("first-access.json", "secret-key", "lock"):
        (runs.data_dir / name).unlink()
    shutil.rmtree(runs.data_dir / "logs")
    run = runs.start().wait_until_up()
    assert run.events() >= 0
    run.child.stop(20)


def test_a_half_deleted_database_gives_one_line(runs):
    runs.start().wait_until_up().child.stop(20)
    version = runs.data_dir / "postgres" / "PG_VERSION"
    kept = version.read_text()
    version.unlink()
    assert "PG_VERSION is missing" in runs.fail()
    version.write_text(kept)


def test_a_deleted_database_is_made_anew_with_a_key_that_works(runs):
    runs.start().wait_until_up().child.stop(20)
    shutil.rmtree(runs.data_dir / "postgres")
    run = runs.start().wait_until_up()
    assert run.events() == 0
    run.child.stop(20)


def test_it_uses_the_servers_that_it_is_given(runs, postgres, redis_server, clean_database, clean_redis):
    run = runs.start(database_url=postgres.url, redis_url=redis_server.url).wait_until_up()
    assert run.events() == 0
    assert not any(process.name() == "postgres" for process in run.processes())
    run.child.stop(20)

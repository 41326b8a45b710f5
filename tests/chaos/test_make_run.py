"""`make run` as a newcomer meets it, and as it is killed."""

import json
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import httpx
import psutil
import pytest

from app.local import running_environment
from app.local.children import REPOSITORY, Guard
from tests.local_runs import START_SECONDS, STOP_SECONDS, Run, Runs
from tests.waiting import wait_until

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(180)]

LINUX_ONLY = pytest.mark.skipif(sys.platform != "linux", reason="other systems hide the environment of processes")


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
    """With none that is running."""
    first_runs.end()
    yield first_runs
    first_runs.end()


@pytest.fixture
def run(first_runs: Runs) -> Run:
    """One that is up, and goes on for the next test that asks for it: to start one takes seconds of both cores."""
    return first_runs.running()


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


def test_the_printed_lines_lead_to_an_event_in_the_numbers_and_a_second_start_keeps_it(first_runs, run):
    write, read = re.findall(r"^ +(curl .*)$", run.terminal(), re.MULTILINE)
    before = run.events()
    assert send(write).status_code == 204
    wait_until(lambda: send(read).json()["data"]["totals"]["events"] == before + 1, timeout_seconds=10)
    sign_in = re.findall(r"^  (?:API key|Sign-in) .*$", run.terminal(), re.MULTILINE)
    assert len(sign_in) == 2
    run.child.stop(STOP_SECONDS)
    run.wait_until_gone()
    again = first_runs.start().wait_until_up()
    assert again.events() == before + 1
    assert re.findall(r"^  (?:API key|Sign-in) .*$", again.terminal(), re.MULTILINE) == sign_in


@LINUX_ONLY
@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGKILL])
def test_no_process_is_left_whatever_ends_it(run, ending):
    names = {process.name() for process in run.processes()}
    assert "postgres" in names
    assert len(run.processes()) > 8
    os.kill(run.child.pid, ending)
    wait_until(lambda: run.child.exit_code() is not None, 30)
    run.wait_until_gone()
    assert not (run.data_dir / "running.json").exists() or ending == signal.SIGKILL
    assert "Traceback" not in run.terminal()


@LINUX_ONLY
def test_no_process_is_left_when_make_is_killed(runs):
    run = runs.start_below_a_parent().wait_until_up()
    os.kill(run.child.pid, signal.SIGKILL)
    run.wait_until_gone()


@LINUX_ONLY
def test_no_process_is_left_when_its_terminal_is_closed(runs):
    run = runs.start_in_a_terminal().wait_until_up()
    os.kill(run.child.pid, signal.SIGKILL)
    run.wait_until_gone()


@LINUX_ONLY
@pytest.mark.parametrize("moment", ["", "Starting Redis", "Starting PostgreSQL", "Starting web"])
def test_no_process_is_left_when_it_is_killed_while_it_starts(runs, moment):
    run = runs.start()
    wait_until(lambda: moment in run.terminal() or run.child.exit_code() is not None, START_SECONDS)
    os.kill(run.child.pid, signal.SIGKILL)
    run.wait_until_gone()


def test_a_run_can_follow_a_killed_one_at_once(first_runs, run):
    os.kill(run.child.pid, signal.SIGKILL)
    first_runs.start().wait_until_up()


COMMAND_LINES = {"web": "bin/gunicorn", "worker": "-m worker", "PostgreSQL": "bin/postgres", "Redis": "redis-server"}


@pytest.mark.parametrize("name", COMMAND_LINES)
def test_a_crashed_process_comes_back(run, name):
    def oldest() -> psutil.Process | None:
        found = [process for process in run.processes() if COMMAND_LINES[name] in command_line(process)]
        return min(found, key=lambda process: process.create_time(), default=None)

    victim = oldest()
    assert victim is not None
    os.kill(victim.pid, signal.SIGKILL)
    wait_until(lambda: f"{name} ended with exit code -9; starting it again" in run.terminal(), STOP_SECONDS)
    wait_until(lambda: oldest() not in (victim, None), 30)
    wait_until(run.is_ready, 30)


def command_line(process: psutil.Process) -> str:
    """Nothing where it has just ended."""
    with suppress(psutil.NoSuchProcess):
        return " ".join(process.cmdline())
    return ""


def test_a_second_run_in_the_same_checkout_gives_one_line(first_runs, run):
    second = first_runs.start()
    wait_until(lambda: second.child.exit_code() is not None, START_SECONDS)
    assert second.child.exit_code() == 1
    assert "another `make run` is running" in second.terminal()
    assert run.is_ready()


def test_commands_beside_a_run_find_its_servers(run):
    environment = running_environment(run.data_dir)
    assert environment is not None
    done = subprocess.run(
        [sys.executable, "-m", "app", "status", "--json"],
        env={"PATH": os.environ["PATH"], **environment},
        cwd=REPOSITORY,
        capture_output=True,
        check=True,
    )
    assert json.loads(done.stdout)
    assert (run.data_dir / "running.json").stat().st_mode & 0o077 == 0
    run.child.stop(STOP_SECONDS)
    assert running_environment(run.data_dir) is None


def test_a_taken_port_gives_one_line(runs):
    with socket.create_server(("127.0.0.1", runs.port)):
        assert runs.fail() == f"port {runs.port} is taken: choose another one, as in PORT={runs.port + 1} make run"


def test_the_printed_lines_name_the_public_url(runs):
    run = runs.start(public_url="https://analytics.example.org").wait_until_up()
    assert "https://analytics.example.org/login" in run.terminal()
    assert "http://127.0.0.1" not in run.terminal()
    assert run.is_ready(), "health checks ask by address"


def test_wrong_settings_give_lines_of_their_own(runs):
    assert "PORT" in runs.fail(port="many")
    assert "WEB_CONCURRENCY" in runs.fail(web_concurrency="none")


def test_lost_notes_are_made_again(runs):
    runs.with_data()
    for name in ("first-access.json", "secret-key", "lock"):
        (runs.data_dir / name).unlink()
    shutil.rmtree(runs.data_dir / "logs")
    run = runs.start().wait_until_up()
    assert run.events() >= 0
    run.child.stop(STOP_SECONDS)


def test_a_half_deleted_database_gives_one_line(runs):
    version = runs.with_data().data_dir / "postgres" / "PG_VERSION"
    kept = version.read_text()
    version.unlink()
    assert "PG_VERSION is missing" in runs.fail()
    version.write_text(kept)


def test_a_deleted_database_is_made_anew_with_a_key_that_works(runs):
    shutil.rmtree(runs.with_data().data_dir / "postgres")
    run = runs.start().wait_until_up()
    assert run.events() == 0
    run.child.stop(STOP_SECONDS)


def test_it_uses_the_servers_that_it_is_given(runs, postgres, redis_server, clean_database, clean_redis):
    run = runs.start(database_url=postgres.url, redis_url=redis_server.url).wait_until_up()
    assert run.events() == 0
    assert not any(process.name() == "postgres" for process in run.processes())
    run.child.stop(STOP_SECONDS)

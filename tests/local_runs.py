"""`python -m app.local`, started by tests on a data folder of their own."""

import os
import re
import secrets
import shlex
import sys
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil

from app.local.children import REPOSITORY, Child, Guard
from app.local.ports import free_port
from tests.processes import INHERITED
from tests.waiting import wait_until

UP = "Ctrl-C stops everything"
START_SECONDS = 90.0
STOP_SECONDS = 60.0


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

    def wait_until_gone(self) -> None:
        wait_until(lambda: not self.processes(), STOP_SECONDS)

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

    def running(self) -> Run:
        """The one that a test before has left as it was, or a new one."""
        up = [run for run in self._runs if run.child.exit_code() is None]
        return up[-1] if up else self.start().wait_until_up()

    def with_data(self) -> "Runs":
        """None is running, and there is the data of one that did."""
        if not (self.data_dir / "first-access.json").exists():
            self.running().child.stop(STOP_SECONDS)
        self.end()
        return self

    def end(self) -> None:
        """What a test has left."""
        for run in self._runs:
            if run.child.exit_code() is None:
                run.child.kill()
            run.wait_until_gone()
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
        run.wait_until_gone()
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

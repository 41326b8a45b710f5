"""Child processes that leave nothing behind, whatever becomes of the process that started them."""

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

import psutil

from app.local.errors import CannotRun
from app.local.guard import family, kill_all, kill_group, wait_until_gone
from app.local.identity import MYSELF, Identity

StopSignal = Literal["TERM", "INT"]
REPOSITORY = Path(__file__).resolve().parents[2]

SERVER_NAMES = {"postgres", "redis-server", "valkey-server"}

# The child registers itself, before it becomes the command: its standard input is the guard's pipe, which stays open
# until then. So there is no moment at which the starter could be killed and the guard not know the child.
REGISTER_AND_BECOME = 'echo "$$ $0" >&0 && exec "$@" </dev/null'


class Child:
    """A process in a session of its own; ended together with everything that it started."""

    def __init__(self, process: subprocess.Popen[bytes], guard: "Guard", stop_signal: StopSignal) -> None:
        self._process = process
        self._guard = guard
        self._stop_signal = signal.Signals["SIG" + stop_signal]
        self._buried = False
        self.pid = process.pid

    def exit_code(self) -> int | None:
        code = self._process.poll()
        if code is not None and not self._buried:
            self._buried = True
            kill_group(self.pid)
            self._guard.forget(self)
        return code

    def ask_to_stop(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            self._process.send_signal(self._stop_signal)

    def stop(self, timeout_seconds: float = 10.0) -> None:
        """Stops it in its own way; kills it and all below it when it has not gone by then."""
        members = self._family()
        self.ask_to_stop()
        try:
            self._process.wait(timeout_seconds)
        except subprocess.TimeoutExpired:
            self.kill()
        kill_all(members)
        self.exit_code()

    def kill(self) -> None:
        """SIGKILL to it and to all below it, as if the power went; returns when they are gone."""
        if self.exit_code() is not None:
            return
        members = self._family()
        kill_group(self.pid)
        kill_all(members)
        self.wait()

    def communicate(self, timeout_seconds: float) -> tuple[str, str]:
        """All that it writes to its standard output and error; kills it when it has not ended by then."""
        try:
            output, complaint = self._process.communicate(timeout=timeout_seconds)
        except subprocess.TimeoutExpired:
            self.kill()
            output, complaint = self._process.communicate()
        return output.decode(errors="replace"), complaint.decode(errors="replace")

    def wait(self) -> None:
        self._process.wait()
        self.exit_code()

    def _family(self) -> list[psutil.Process]:
        try:
            return family(psutil.Process(self.pid))
        except psutil.NoSuchProcess:
            return []


class Guard:
    """Starts children, and sees to it that they end with this process; `close` ends those that are left."""

    def __init__(self, *, inherited_fds: Sequence[int] = ()) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "app.local.guard"],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            cwd=REPOSITORY,
            start_new_session=True,
            pass_fds=inherited_fds,
        )
        assert self._process.stdin is not None
        self._pipe = self._process.stdin.fileno()
        self._children: list[Child] = []

    def start(
        self,
        command: Sequence[str],
        *,
        log_path: Path,
        stop_signal: StopSignal = "TERM",
        environment: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        identity: Identity = MYSELF,
    ) -> Child:
        """Its output is appended to `log_path`."""
        with log_path.open("ab") as log:
            return self._child(command, stop_signal, identity, stdout=log, env=environment, cwd=cwd)

    def run(
        self,
        command: Sequence[str],
        *,
        name: str,
        timeout_seconds: float = 60.0,
        environment: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        identity: Identity = MYSELF,
    ) -> str:
        """Waits for a short command and returns what it wrote to its standard output.

        Raises CannotRun, with `name` and the last line that it wrote, where it fails or takes too long.
        """
        pipe = subprocess.PIPE
        child = self._child(command, "TERM", identity, stdout=pipe, stderr=pipe, env=environment, cwd=cwd)
        output, complaint = child.communicate(timeout_seconds)
        code = child.exit_code()
        if code != 0:
            ending = f"took longer than {timeout_seconds:.0f} s" if code == -signal.SIGKILL else f"exit code {code}"
            words = (complaint.strip() or output.strip() or ending).splitlines()
            raise CannotRun(f"{name}: {words[-1]}")
        return output.strip()

    def _child(self, command: Sequence[str], stop_signal: StopSignal, identity: Identity, **streams: Any) -> Child:
        process = subprocess.Popen(
            ["/bin/sh", "-c", REGISTER_AND_BECOME, stop_signal, *identity.prefix, *command],
            stdin=self._pipe,
            start_new_session=True,
            **{"stderr": subprocess.STDOUT, **streams},
        )
        child = Child(process, self, stop_signal)
        self._children.append(child)
        return child

    def forget(self, child: Child) -> None:
        """The child has gone; its number may come to belong to another process."""
        self._children.remove(child)
        with contextlib.suppress(OSError):
            os.write(self._pipe, f"-{child.pid}\n".encode())

    def is_alive(self) -> bool:
        return self._process.poll() is None

    def close(self) -> None:
        assert self._process.stdin is not None
        with contextlib.suppress(OSError):
            self._process.stdin.close()
        self._process.wait()
        for child in list(self._children):
            child.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


def end_leftovers(data_dir: Path) -> None:
    """Ends servers that work in this folder although nobody guards them any more (their guard was killed as well)."""
    leftovers = [
        process
        for process in psutil.process_iter(["name", "cwd"])
        if process.info["name"] in SERVER_NAMES and process.info["cwd"] == str(data_dir.resolve())
    ]
    for process in leftovers:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.send_signal(signal.SIGINT)
    wait_until_gone(leftovers, 5)
    kill_all(leftovers)

"""What a platform does for processes and servers: it starts them again when they have ended."""

import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol, Self

from app.local.children import Child, Guard
from app.local.errors import CannotRun

LOOK_SECONDS = 0.05


class Restartable(Protocol):
    """A process of the Procfile, or one of the servers."""

    @property
    def pid(self) -> int: ...

    def exit_code(self) -> int | None: ...

    def restart(self) -> None: ...

    def stop(self) -> None: ...

    def kill(self) -> None: ...


class Process:
    """A process of the Procfile. What it writes is appended to its log over all its lives."""

    def __init__(
        self, command: Sequence[str], guard: Guard, *, log_path: Path, environment: Mapping[str, str], cwd: Path
    ) -> None:
        self._command = command
        self._guard = guard
        self.log_path = log_path
        self._environment = environment
        self._cwd = cwd
        self._child = self._start()

    def _start(self) -> Child:
        return self._guard.start(self._command, log_path=self.log_path, environment=self._environment, cwd=self._cwd)

    @property
    def pid(self) -> int:
        return self._child.pid

    def exit_code(self) -> int | None:
        return self._child.exit_code()

    def stop(self) -> None:
        """SIGTERM, as a deploy does it, and SIGKILL after 30 s."""
        self._child.stop(30)

    def kill(self) -> None:
        self._child.kill()

    def ask_to_stop(self) -> None:
        """SIGTERM, without waiting for it."""
        self._child.ask_to_stop()

    def set_variable(self, name: str, value: str) -> None:
        """From its next start on."""
        self._environment = {**self._environment, name: value}

    def run_in(self, folder: Path) -> None:
        """From its next start on."""
        self._cwd = folder

    def restart(self) -> None:
        if self.exit_code() is None:
            self.stop()
        self._child = self._start()


class Platform:
    """Looks after what it is given, each in a thread of its own, until it is closed.

    Only these threads ask whether something has ended; who wants to end it for longer holds it meanwhile.
    """

    def __init__(self, pause_seconds: float = 0.5) -> None:
        self.restarts: Counter[str] = Counter()
        self.failures: list[str] = []
        self._pause_seconds = pause_seconds
        self._closing = threading.Event()
        self._locks: dict[str, threading.Lock] = {}
        self._threads: list[threading.Thread] = []

    def look_after(self, name: str, thing: Restartable) -> None:
        self._locks[name] = threading.Lock()
        thread = threading.Thread(target=self._look, args=[name, thing], daemon=True)
        self._threads.append(thread)
        thread.start()

    @contextmanager
    def holding(self, *names: str) -> Iterator[None]:
        """They are not started again inside the block."""
        for name in sorted(names):
            self._locks[name].acquire()
        try:
            yield
        finally:
            for name in names:
                self._locks[name].release()

    def close(self) -> None:
        """What runs goes on running, and nothing is started again."""
        self._closing.set()
        for thread in self._threads:
            thread.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _look(self, name: str, thing: Restartable) -> None:
        while not self._closing.wait(LOOK_SECONDS):
            with self._locks[name]:
                if thing.exit_code() is None:
                    continue
                time.sleep(self._pause_seconds)
                if self._closing.is_set():
                    return
                try:
                    thing.restart()
                    self.restarts[name] += 1
                except CannotRun as error:
                    self.failures.append(f"{name}: {error}")

"""The Procfile's processes under supervision: a crashed one is started again, each time a little later."""

import time
from collections.abc import Mapping
from pathlib import Path

from app.local.announcement import complain
from app.local.children import REPOSITORY, Child, Guard
from app.local.errors import CannotRun
from app.local.log_follower import LogFollower, error_text
from app.local.procfile import shell_command
from app.local.servers import last_words

SHORTEST_PAUSE_SECONDS = 1.0
LONGEST_PAUSE_SECONDS = 30.0
# Whoever ran so long did not crash at its start: the pauses begin anew.
HEALTHY_SECONDS = 60.0


class SupervisedProcess:
    """One process of the Procfile; `look` must be called again and again."""

    def __init__(self, name: str, command: str, guard: Guard, log_dir: Path, environment: Mapping[str, str]) -> None:
        self.name = name
        self.log_path = log_dir / f"{name}.log"
        self._command = shell_command(command)
        self._guard = guard
        self._environment = environment
        _keep_previous(self.log_path)
        self._pause_seconds = SHORTEST_PAUSE_SECONDS
        self._restart_at: float | None = None
        self._child = self._start()
        self._log = LogFollower(name, self.log_path)

    def expect_running(self) -> None:
        """CannotRun, with what its log says about it, where it has ended."""
        code = self._child.exit_code()
        if code is not None:
            errors = [text for line in self.log_path.read_bytes().splitlines() if (text := error_text(line))]
            # The first error is the cause; those after it only say that the process therefore ends.
            why = errors[0] if errors else last_words(self.log_path, 0)
            raise CannotRun(f"{self.name} ended with exit code {code}: {why} (see {self.log_path})")

    def look(self) -> None:
        """Shows errors from its log; starts it again when it has ended and the pause is over."""
        for line in self._log.new_errors():
            complain(line)
        now = time.monotonic()
        if self._restart_at is not None:
            if now >= self._restart_at:
                self._restart_at = None
                self._child = self._start()
        elif (code := self._child.exit_code()) is not None:
            if now - self._started_at > HEALTHY_SECONDS:
                self._pause_seconds = SHORTEST_PAUSE_SECONDS
            complain(
                f"{self.name} ended with exit code {code}; starting it again in {self._pause_seconds:.0f} s"
                f" (see {self.log_path})"
            )
            self._restart_at = now + self._pause_seconds
            self._pause_seconds = min(2 * self._pause_seconds, LONGEST_PAUSE_SECONDS)

    def ask_to_stop(self) -> None:
        self._child.ask_to_stop()

    def stop(self, timeout_seconds: float) -> None:
        self._child.stop(timeout_seconds)

    def _start(self) -> Child:
        self._started_at = time.monotonic()
        return self._guard.start(self._command, log_path=self.log_path, environment=self._environment, cwd=REPOSITORY)


def _keep_previous(log_path: Path) -> None:
    log_path.parent.mkdir(exist_ok=True)
    if log_path.exists():
        log_path.replace(log_path.with_suffix(".previous.log"))
    log_path.touch()

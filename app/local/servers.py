"""What PostgreSQL and Redis have in common: they listen, they may fail to start, and their log says why."""

import time
from pathlib import Path

from app.local.children import Child, Guard, StopSignal, end_leftovers
from app.local.errors import CannotRun
from app.local.identity import MYSELF, Identity
from app.local.ports import free_port

START_SECONDS = 60.0
STOP_SECONDS = 15.0


class RunningServer:
    """A server that runs; `stop`, `kill` and `restart` are for those who want to see what happens then."""

    name: str
    stop_signal: StopSignal = "TERM"
    url: str

    def __init__(self, data_dir: Path, guard: Guard, identity: Identity = MYSELF) -> None:
        """Start it on a free port. Its log is written beside its data; raises CannotRun, with its last words."""
        self.data_dir = data_dir
        self.port = free_port()
        self._guard = guard
        self._identity = identity
        self._child = self._launch()

    def _command(self) -> list[str]:
        """How it is started; what must be in its folder before is put there."""
        raise NotImplementedError

    def _is_ready(self) -> bool:
        """Whether it takes connections."""
        raise NotImplementedError

    @property
    def pid(self) -> int:
        return self._child.pid

    def exit_code(self) -> int | None:
        return self._child.exit_code()

    def stop(self) -> None:
        self._child.stop(STOP_SECONDS)

    def kill(self) -> None:
        """SIGKILL to it and to all below it: what it had answered is in its files, or was never promised."""
        self._child.kill()

    def restart(self) -> None:
        """On the same port, with the same data and password, whether it was stopped, killed or still runs."""
        self.stop()
        self._child = self._launch()

    def _launch(self) -> Child:
        end_leftovers(self.data_dir)
        log_path = self.data_dir.with_name(self.data_dir.name + ".log")
        log_start = log_path.stat().st_size if log_path.exists() else 0
        child = self._guard.start(
            self._command(), log_path=log_path, stop_signal=self.stop_signal, identity=self._identity
        )
        deadline = time.monotonic() + START_SECONDS
        while not self._is_ready():
            if child.exit_code() is not None:
                raise CannotRun(f"{self.name} did not start: {last_words(log_path, log_start)} (see {log_path})")
            if time.monotonic() > deadline:
                child.kill()
                raise CannotRun(f"{self.name} did not answer within {START_SECONDS:.0f} s (see {log_path})")
            time.sleep(0.02)
        return child


def last_words(log_path: Path, log_start: int) -> str:
    """The line of a log that tells most about a failure: the last fatal one, else the last one."""
    with log_path.open("rb") as log:
        log.seek(log_start)
        lines = [line.strip() for line in log.read().decode(errors="replace").splitlines() if line.strip()]
    fatal = [line for line in lines if any(word in line for word in ("FATAL", "PANIC", "FAILED", "Could not", "Can't"))]
    return (fatal or lines or ["it said nothing"])[-1]

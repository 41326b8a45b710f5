"""The guard: a small process that outlives the one which started it, and ends all of that one's children.

Its standard input is a pipe of which the starter holds the other end, so that even after a kill -9 of the starter the
pipe is closed, and the guard acts. Lines: "<pid> <signal>" for a child to end that way, "-<pid>" for one that has gone.
"""

import contextlib
import os
import signal
import sys
import time
from collections.abc import Iterable

import psutil

GRACE_SECONDS = 5.0


def family(process: psutil.Process) -> list[psutil.Process]:
    """The process and all below it: backends of PostgreSQL make sessions of their own, a group does not hold them."""
    try:
        return [process, *process.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def kill_group(group_id: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group_id, signal.SIGKILL)


def wait_until_gone(processes: Iterable[psutil.Process], timeout_seconds: float) -> None:
    """A zombie counts as gone: it runs no more, and its parent may be busy with waiting for us."""
    deadline = time.monotonic() + timeout_seconds
    waiting = list(processes)
    while waiting and time.monotonic() < deadline:
        waiting = [process for process in waiting if _runs(process)]
        if waiting:
            time.sleep(0.02)


def kill_all(processes: Iterable[psutil.Process]) -> None:
    """SIGKILL; returns when they are gone, or after GRACE_SECONDS."""
    doomed = list(processes)
    for process in doomed:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    wait_until_gone(doomed, GRACE_SECONDS)


def end_all(wards: dict[int, tuple[psutil.Process, signal.Signals]]) -> None:
    """Asks every ward to stop in its own way, then kills whatever is left of them."""
    families = [member for process, _ in wards.values() for member in family(process)]
    for process, stop_signal in wards.values():
        with contextlib.suppress(psutil.NoSuchProcess):
            process.send_signal(stop_signal)
    wait_until_gone([process for process, _ in wards.values()], GRACE_SECONDS)
    for pid in wards:
        kill_group(pid)
    kill_all(families)


def _runs(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def main() -> None:
    for ignored in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(ignored, signal.SIG_IGN)
    wards: dict[int, tuple[psutil.Process, signal.Signals]] = {}
    for line in sys.stdin:
        pid_text, _, signal_name = line.strip().partition(" ")
        pid = int(pid_text)
        if pid < 0:
            wards.pop(-pid, None)
            continue
        with contextlib.suppress(psutil.NoSuchProcess):
            wards[pid] = (psutil.Process(pid), signal.Signals["SIG" + signal_name])
    end_all(wards)


if __name__ == "__main__":
    main()

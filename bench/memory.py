"""How much memory the processes hold, and whether it grows."""

from collections.abc import Sequence
from contextlib import suppress

import psutil

from bench.report import Figure, Target
from bench.stand import Process

MEGABYTE = 1_000_000


class MemoryLog:
    """Resident memory of the largest process of a kind, look by look, in megabytes."""

    def __init__(self, process: Process) -> None:
        self._process = process
        self.looks_mb: list[float] = []

    def look(self) -> None:
        """Take down what the processes hold now."""
        held = []
        for each in self._process.working_processes():
            with suppress(psutil.NoSuchProcess):
                held.append(each.memory_info().rss / MEGABYTE)
        self.looks_mb.append(max(held))


def memory_figures(name: str, looks_mb: Sequence[float], *, at_most_mb: float) -> list[Figure]:
    """What the largest process held at the end, and how much of that was added after the first look.

    The first look should come after the first load, when everything that is needed once has been loaded.
    """
    return [
        Figure(f"memory of each {name}", "MB", looks_mb[-1:], target=Target("value", "at most", at_most_mb)),
        Figure("— added since the first round", "MB", [looks_mb[-1] - looks_mb[0]]),
    ]

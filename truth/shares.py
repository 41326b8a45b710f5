"""Shares of runs, how far they may be off, and whether they are what is claimed."""

from collections.abc import Sequence
from dataclasses import dataclass

from scipy.stats import binomtest

ENOUGH_RUNS = 500
"""With fewer runs a claim is broken only where chance does not explain it."""


@dataclass(frozen=True, slots=True)
class Share:
    """`count` of `runs`."""

    count: int
    runs: int

    @property
    def value(self) -> float:
        return self.count / self.runs

    @property
    def interval(self) -> tuple[float, float]:
        """95 %, by Clopper and Pearson."""
        found = binomtest(self.count, self.runs).proportion_ci()
        return float(found.low), float(found.high)

    def is_at_most(self, bound: float) -> bool:
        return (self.value if self.runs >= ENOUGH_RUNS else self.interval[0]) <= bound

    def is_at_least(self, bound: float) -> bool:
        return (self.value if self.runs >= ENOUGH_RUNS else self.interval[1]) >= bound

    def __str__(self) -> str:
        low, high = self.interval
        return f"{self.value:.1%} ({low:.1%} to {high:.1%})".replace("%", " %")


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the table. `holds`: None where nothing is claimed, since it shows where the claims end."""

    name: str
    measured: str
    claim: str
    holds: bool | None


HEADINGS = ("simulated", "measured", "claimed", "holds")


def cells(row: Row) -> tuple[str, ...]:
    return row.name, row.measured, row.claim, {True: "yes", False: "**no**", None: ""}[row.holds]


def table(rows: Sequence[Row]) -> str:
    """In Markdown, which a terminal shows as well."""
    lines = [HEADINGS, ("---",) * len(HEADINGS), *map(cells, rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)

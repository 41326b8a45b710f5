"""Figures, and the table of them: on the terminal and in RESULTS.md."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

HEADINGS = ("figure", "ours", "reference", "ratio", "target", "met")


@dataclass(frozen=True)
class Target:
    """A bound on the median of the figure itself, or on its ratio to the reference."""

    of: Literal["value", "ratio"]
    bound: Literal["at least", "at most"]
    limit: float

    def is_met(self, value: float, ratio: float | None) -> bool:
        """Raises ValueError for a target of a ratio where there is no reference."""
        measured = value if self.of == "value" else ratio
        if measured is None:
            raise ValueError("a target of a ratio needs a reference")
        return measured >= self.limit if self.bound == "at least" else measured <= self.limit


@dataclass(frozen=True)
class Figure:
    """What was measured in each round, and beside it, in the same round, the reference."""

    name: str
    unit: str
    ours: Sequence[float]
    reference: Sequence[float] = ()
    reference_name: str = ""
    target: Target | None = None

    @property
    def value(self) -> float:
        """The median over the rounds."""
        return statistics.median(self.ours)

    @property
    def ratios(self) -> list[float]:
        """Round by round. Raises ValueError where the rounds do not pair up."""
        return [ours / reference for ours, reference in zip(self.ours, self.reference, strict=True)]

    @property
    def ratio(self) -> float | None:
        """The median of the ratios; None without a reference."""
        return statistics.median(self.ratios) if self.reference else None

    @property
    def is_met(self) -> bool | None:
        """None where there is no target."""
        return None if self.target is None else self.target.is_met(self.value, self.ratio)


def cells(figure: Figure) -> tuple[str, ...]:
    """One row of the table."""
    reference = ratio = target = ""
    if figure.reference:
        reference = f"{_amount(statistics.median(figure.reference), figure.unit)} ({figure.reference_name})"
        low, high = min(figure.ratios), max(figure.ratios)
        ratio = f"{_number(statistics.median(figure.ratios))} ({_number(low)} to {_number(high)})"
    if figure.target is not None:
        unit = figure.unit if figure.target.of == "value" else "times"
        target = f"{figure.target.bound} {_amount(figure.target.limit, unit)}"
    met = {None: "", True: "yes", False: "no"}[figure.is_met]
    return figure.name, _amount(figure.value, figure.unit), reference, ratio, target, met


def terminal_table(figures: Sequence[Figure]) -> str:
    """Columns side by side."""
    rows = [HEADINGS, *map(cells, figures)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEADINGS))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )


def markdown_table(figures: Sequence[Figure]) -> str:
    """The same for RESULTS.md and README."""
    rows = [HEADINGS, ("---",) * len(HEADINGS), *map(cells, figures)]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def results_page(figures: Sequence[Figure], *, facts: Sequence[str], notes: str, needs: str, is_standard: bool) -> str:
    """RESULTS.md."""
    warning = "" if is_standard else "**A short run: not for comparison with the targets.**\n\n"
    return f"""# Results of `make bench`

{warning}{_bullets(facts)}

Medians of the rounds; in brackets behind a ratio its lowest and highest round. A reference was measured in the same
round as the figure beside it; only the drain's ratio to single events takes the median of an earlier phase. Under 10 %
means nothing.

{markdown_table(figures)}

{needs}

How it was measured:

{notes}
"""


def _bullets(lines: Sequence[str]) -> str:
    return "\n".join(f"- {line}" for line in lines)


def _amount(value: float, unit: str) -> str:
    return f"{_number(value)} {unit}"


def _number(value: float) -> str:
    """Three significant digits, or all digits of a large number."""
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}"

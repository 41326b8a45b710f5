"""What a comparison reads of a version, made of latencies alone or number by number."""

import struct
from collections.abc import Sequence
from dataclasses import astuple, dataclass, fields

import numpy as np
import numpy.typing as npt

from app.core.queries.version_cells import CELL_NUMBERS, VersionCells
from tests.histograms import histogram_of


@dataclass(frozen=True, kw_only=True)
class Cell:
    """The numbers of a piece of time, as CELL_NUMBERS has them."""

    start_seconds: float
    events: int
    cost_count: int = 0
    cost_mean: float = 0.0
    cost_deviation: float = 0.0
    latency_count: int = 0
    latency_log_mean: float = 0.0
    latency_log_deviation: float = 0.0
    score_count: int = 0
    score_mean: float = 0.0
    score_deviation: float = 0.0


def version_cells(cells: Sequence[tuple[Cell, bytes | None]]) -> VersionCells:
    """Each with its histogram."""
    assert tuple(field.name for field in fields(Cell)) == CELL_NUMBERS
    numbers = b"".join(struct.pack(f">{len(CELL_NUMBERS)}d", *astuple(cell)) for cell, _ in cells)
    return VersionCells(version_key=1, numbers=numbers, histograms=[histogram for _, histogram in cells])


def cell_of(start_seconds: float, latencies_ms: npt.NDArray[np.float64]) -> tuple[Cell, bytes]:
    logarithms = np.log(latencies_ms)
    cell = Cell(
        start_seconds=start_seconds,
        events=len(logarithms),
        latency_count=len(logarithms),
        latency_log_mean=float(logarithms.mean()),
        latency_log_deviation=float(((logarithms - logarithms.mean()) ** 2).sum()),
    )
    return cell, histogram_of(latencies_ms.tolist())

"""Which events were answered with a 204, by their numbers: what web tells the ledger."""

from collections.abc import Iterable
from dataclasses import dataclass, field

Run = tuple[int, int]
"""Numbers from the first one up to, but without, the second."""


@dataclass(slots=True)
class Acknowledgement:
    """What was answered with a 204 in one minute, of one series. Times are seconds since the epoch.

    `replayed`: events that were answered as repeats, which have no numbers.
    """

    series: str
    project_id: int
    hour_began_at: int
    first_at: float
    last_at: float
    runs: list[Run] = field(default_factory=list)
    replayed: int = 0


def multirange(runs: Iterable[Run]) -> str:
    """As PostgreSQL writes an int8multirange; runs that touch or overlap become one there."""
    return "{" + ",".join(f"[{first},{end})" for first, end in runs) + "}"

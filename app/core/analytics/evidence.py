"""Which events of two versions may be compared, and how they are laid out for it.

Versions that run side by side are compared in the hours that both have. Where one took the other's place there are few
such hours; then equal spans before and after are compared, each hour with the same hour of the day, or, from a week on,
of the week.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from app.core.analytics.arrays import Booleans, Floats, Integers, np
from app.core.analytics.percentiles import DecodedHistograms, decode_histograms
from app.core.analytics.strata import Cells, Pair
from app.core.analytics.tail import Tail
from app.core.queries.version_cells import CELL_NUMBERS, VersionCells

HOUR_SECONDS = 3_600
DAY_SECONDS = 24 * HOUR_SECONDS
WEEK_SECONDS = 7 * DAY_SECONDS
EVENTS_OF_A_BLOCK = 10
"""Bunches of events that depend on each other are mostly shorter than that."""
ENOUGH_BLOCKS = 200
"""Where there are more, blocks are longer instead: what depends on each other for longer is then seen, too."""
BLOCK_SECONDS = tuple(60 * minutes for minutes in (1, 2, 3, 5, 10, 15, 30, 60, 120, 180, 240, 360, 720, 1_440))

Kind = Literal["side_by_side", "before_after"]
Measure = Literal["cost_usd", "latency_ms", "score"]
MEASURES: tuple[Measure, ...] = ("cost_usd", "latency_ms", "score")


@dataclass(frozen=True, slots=True)
class Values:
    """A measure, piece by piece of time."""

    count: Floats
    mean: Floats
    deviation: Floats

    def only(self, chosen: Booleans) -> "Values":
        return Values(self.count[chosen], self.mean[chosen], self.deviation[chosen])


@dataclass(frozen=True, slots=True)
class Arm:
    """One version by hours or minutes, in order.

    `histograms` belong to the pieces by position, in order, too; minutes have none.
    """

    seconds: Integers
    events: Floats
    values: dict[Measure, Values]
    histograms: DecodedHistograms

    def only(self, chosen: Booleans) -> "Arm":
        """Some of the pieces."""
        number = np.cumsum(chosen) - 1
        kept = chosen[self.histograms.owner]
        owner, bucket, count = self.histograms.owner[kept], self.histograms.bucket[kept], self.histograms.count[kept]
        return Arm(
            self.seconds[chosen],
            self.events[chosen],
            {measure: values.only(chosen) for measure, values in self.values.items()},
            DecodedHistograms(number[owner], bucket, count),
        )

    def between(self, start_seconds: int, end_seconds: int) -> "Arm":
        start, end = np.searchsorted(self.seconds, (start_seconds, end_seconds)).tolist()
        first, last = np.searchsorted(self.histograms.owner, (start, end)).tolist()
        found = self.histograms
        owner = found.owner[first:last] - start if start else found.owner[:last]
        return Arm(
            self.seconds[start:end],
            self.events[start:end],
            {
                measure: Values(values.count[start:end], values.mean[start:end], values.deviation[start:end])
                for measure, values in self.values.items()
            },
            DecodedHistograms(owner, found.bucket[first:last], found.count[first:last]),
        )


def common_seconds(old: Arm, new: Arm) -> Integers:
    """Where the pieces of time begin in which both have events."""
    # an arm has each but once; to look for twice the same numpy loads a package first, which takes 10 ms
    return np.intersect1d(old.seconds, new.seconds, assume_unique=True)


def arm(cells: VersionCells | None) -> Arm:
    """Of what was read of one version; None: nothing."""
    numbers = np.frombuffer(cells.numbers if cells else b"", ">f8").reshape(-1, len(CELL_NUMBERS))
    order = np.argsort(numbers[:, 0])
    seconds, events, *columns = numbers[order].astype(np.float64).T
    histograms = [cells.histograms[place] or b"" for place in order] if cells and cells.histograms else []
    return Arm(
        seconds.astype(np.intp),
        events,
        {measure: Values(*columns[3 * at : 3 * at + 3]) for at, measure in enumerate(MEASURES)},
        _in_order(decode_histograms(histograms)),
    )


def _in_order(histograms: DecodedHistograms) -> DecodedHistograms:
    order = np.argsort(histograms.owner, kind="stable")
    return DecodedHistograms(histograms.owner[order], histograms.bucket[order], histograms.count[order])


@dataclass(frozen=True, slots=True)
class Evidence:
    """Two versions, the baseline first. `phases`: where the days and weeks of each begin; the same side by side.

    `fine`: the same by minutes, where hours are too few to show how blocks of time scatter.
    """

    kind: Kind
    arms: tuple[Arm, Arm]
    phases: tuple[int, int]
    fine: tuple[Arm, Arm] | None = None

    @property
    def grows(self) -> list[bool]:
        """Whether more events of each can still come."""
        return [self.kind == "side_by_side" or phase == max(self.phases) for phase in self.phases]

    @property
    def have_common_hours(self) -> bool:
        """Whether any hours of the two may be compared, whatever they measured."""
        old, new = self._strata(self.arms)
        return bool(np.isin(old, new).any())

    def until(self, end_seconds: int) -> "Evidence":
        """What was known at that time. Of versions that followed one another, only what came after grew."""
        old, new = (
            each.between(0, end_seconds) if is_growing else each
            for each, is_growing in zip(self.arms, self.grows, strict=True)
        )
        return replace(self, arms=(old, new), fine=None)

    def pair(self, measure: Measure) -> Pair:
        strata = self._strata(self.fine or self.arms)
        blocks = self._blocks(measure)
        cells = [
            Cells(stratum, block, values.count, values.mean, values.deviation)
            for stratum, block, values in zip(
                strata, blocks, (each.values[measure] for each in self.fine or self.arms), strict=True
            )
        ]
        return Pair(cells[0], cells[1], _size(self._strata(self.arms)), _size(blocks))

    def tails(self) -> tuple[Tail, Tail]:
        old, new = (
            Tail(each.histograms, stratum) for each, stratum in zip(self.arms, self._strata(self.arms), strict=True)
        )
        return old, new

    def _strata(self, arms: tuple[Arm, Arm]) -> list[Integers]:
        if self.kind == "side_by_side":
            first = min(int(each.seconds.min(initial=2**60)) for each in self.arms) // HOUR_SECONDS
            return [each.seconds // HOUR_SECONDS - first for each in arms]
        longest = max(
            int(each.seconds.max(initial=phase)) - phase for each, phase in zip(self.arms, self.phases, strict=True)
        )
        period = WEEK_SECONDS if longest >= WEEK_SECONDS else DAY_SECONDS
        return [each.seconds % period // HOUR_SECONDS for each in arms]

    def _blocks(self, measure: Measure) -> list[Integers]:
        arms = self.fine or self.arms
        starts = [each.seconds - phase for each, phase in zip(arms, self.phases, strict=True)]
        if self.kind == "before_after":
            return [start // DAY_SECONDS for start in starts]
        fewest = min(float(each.values[measure].count.sum()) for each in arms)
        span = max(int(start.max(initial=0)) for start in starts) + 60
        length = _block_seconds(span, fewest)
        return [start // length for start in starts]


def _block_seconds(span: int, events: float) -> int:
    """Long enough for EVENTS_OF_A_BLOCK on average; longer where there would be more than ENOUGH_BLOCKS."""
    for seconds in BLOCK_SECONDS:
        if events * seconds >= EVENTS_OF_A_BLOCK * span and span <= ENOUGH_BLOCKS * 2 * seconds:
            return seconds
    return BLOCK_SECONDS[-1]


def _size(numbers: Sequence[Integers]) -> int:
    return max(int(each.max(initial=0)) for each in numbers) + 1

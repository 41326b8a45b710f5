"""Whole weeks of prompts, day by day, as arrays: what is usual for a prompt is read from them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from app.core.analytics.arrays import Floats, Integers, np
from app.core.analytics.percentiles import DecodedHistograms, decode_histograms
from app.core.database import Connection
from app.core.queries.prompt_days import PackedDays, select_prompt_days
from app.core.rollups.grains import GRAIN_SECONDS
from app.core.rollups.time_range import Part

DAYS_OF_A_WEEK = 7

Measure = Literal["cost_usd", "latency_ms", "score"]
MEASURES: tuple[Measure, ...] = ("cost_usd", "latency_ms", "score")


@dataclass(frozen=True, slots=True)
class Daily:
    """A measure by prompt and day: the number of values, their mean, and the sum of squared deviations.

    All are 0 where there is no value.
    """

    count: Floats
    mean: Floats
    deviation: Floats


@dataclass(frozen=True, slots=True)
class PromptDays:
    """All arrays are by prompt, in the order of `keys`, and by day, the oldest first; latencies as logarithms.

    Histograms are owned by prompt times days plus day.
    """

    keys: Integers
    days: int
    measures: dict[Measure, Daily]
    histograms: DecodedHistograms


def read_prompt_days(
    connection: Connection,
    project_id: int,
    end: datetime,
    *,
    weeks: int,
    only: Sequence[int] | None = None,
    histograms: bool = False,
) -> PromptDays:
    """So many weeks before `end`, which begins a UTC day."""
    start = end - timedelta(weeks=weeks)
    part = Part("day", start, end)
    packed = select_prompt_days(connection, project_id, part, only, histograms=histograms)
    return unpacked(packed, int(start.timestamp()), weeks * DAYS_OF_A_WEEK)


def days_of(days: PromptDays, keys: Sequence[int]) -> PromptDays:
    """Those of other prompts, in this order; of one that is not among them there is nothing. Without histograms."""
    place = {key: at for at, key in enumerate(days.keys.tolist())}
    rows = np.array([place.get(key, len(place)) for key in keys], np.intp)

    def chosen(grid: Floats) -> Floats:
        return np.vstack((grid, np.zeros(days.days)))[rows]

    measures = {
        measure: Daily(chosen(daily.count), chosen(daily.mean), chosen(daily.deviation))
        for measure, daily in days.measures.items()
    }
    return PromptDays(np.array(keys, np.intp), days.days, measures, decode_histograms([]))


def unpacked(packed: PackedDays, start_seconds: int, days: int) -> PromptDays:
    """Of rows that lie within so many days from the start."""
    keys, prompt = np.unique(_integers(packed.prompt_keys), return_inverse=True)
    day = (_integers(packed.start_seconds) - start_seconds) // GRAIN_SECONDS["day"]
    place = prompt * days + day
    size = len(keys) * days

    def grid(numbers: Floats | Integers) -> Floats:
        return np.bincount(place, numbers, size).astype(np.float64, copy=False).reshape(-1, days)

    measures: dict[Measure, Daily] = {
        "cost_usd": Daily(
            grid(_integers(packed.cost_counts)), grid(_floats(packed.cost_means)), grid(_floats(packed.cost_deviations))
        ),
        "latency_ms": Daily(
            grid(_integers(packed.latency_counts)),
            grid(_floats(packed.latency_means)),
            grid(_floats(packed.latency_deviations)),
        ),
        "score": Daily(
            grid(_integers(packed.score_counts)),
            grid(_floats(packed.score_means)),
            grid(_floats(packed.score_deviations)),
        ),
    }
    return PromptDays(keys, days, measures, _histograms(packed, place))


def _histograms(packed: PackedDays, place: Integers) -> DecodedHistograms:
    ends = _integers(packed.histogram_bytes).cumsum()
    everything = packed.histograms or b""
    pieces = [everything[start:end] for start, end in zip([0, *ends[:-1].tolist()], ends.tolist(), strict=False)]
    decoded = decode_histograms(pieces)
    return DecodedHistograms(place[decoded.owner], decoded.bucket, decoded.count)


def _integers(packed: bytes | None) -> Integers:
    return np.frombuffer(packed or b"", ">i8").astype(np.intp)


def _floats(packed: bytes | None) -> Floats:
    return np.frombuffer(packed or b"", ">f8").astype(np.float64)

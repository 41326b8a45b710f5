"""A plain recount of comparisons from raw events, event by event."""

from collections.abc import Callable, Sequence
from datetime import datetime

import numpy as np
import numpy.typing as npt

from tests.usage_recount import time_of
from worker.store import ReceivedEvent

Floats = npt.NDArray[np.float64]
Stratum = Callable[[datetime], int]


def hour_of(time: datetime) -> int:
    return int(time.timestamp()) // 3_600


def hour_of_day(time: datetime) -> int:
    return time.hour


def hour_of_week(time: datetime) -> int:
    return time.weekday() * 24 + time.hour


def weighted_means(
    old: Sequence[ReceivedEvent], new: Sequence[ReceivedEvent], measure: str, stratum: Stratum
) -> tuple[float, float]:
    """Means of strata that both have, each with the weight n₁n₂/(n₁ + n₂); of logarithms of latencies."""
    by_stratum = [_by_stratum(events, measure, stratum) for events in (old, new)]
    common = sorted(set(by_stratum[0]) & set(by_stratum[1]))
    sizes = [np.array([len(each[number]) for number in common]) for each in by_stratum]
    weights = sizes[0] * sizes[1] / (sizes[0] + sizes[1])
    first, second = (
        float(np.average([np.mean(each[number]) for number in common], weights=weights)) for each in by_stratum
    )
    return first, second


def weighted_p95s(old: Sequence[ReceivedEvent], new: Sequence[ReceivedEvent], stratum: Stratum) -> tuple[float, float]:
    """The logarithms of the latencies below which 95 % lie, hours having the same weights as in the means."""
    by_stratum = [_by_stratum(events, "latency_ms", stratum) for events in (old, new)]
    common = sorted(set(by_stratum[0]) & set(by_stratum[1]))
    found = []
    for each in by_stratum:
        weights = []
        for number in common:
            old_size, new_size = len(by_stratum[0][number]), len(by_stratum[1][number])
            weights += [old_size * new_size / (old_size + new_size) / len(each[number])] * len(each[number])
        values = np.concatenate([each[number] for number in common])
        order = np.argsort(values)
        running = np.cumsum(np.array(weights)[order])
        found.append(float(values[order][np.searchsorted(running, 0.95 * running[-1])]))
    return found[0], found[1]


def _by_stratum(events: Sequence[ReceivedEvent], measure: str, stratum: Stratum) -> dict[int, Floats]:
    found: dict[int, list[float]] = {}
    for event in events:
        value = getattr(event.event, measure)
        if value is not None:
            found.setdefault(stratum(time_of(event)), []).append(float(value))
    logarithms = measure == "latency_ms"
    return {number: np.log(values) if logarithms else np.array(values) for number, values in found.items()}

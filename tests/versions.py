"""Events of versions of a prompt, drawn by numpy and stored as the worker stores them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from uuid import UUID

import numpy as np
import numpy.typing as npt

from app.core.stream.events import Event, new_event_id
from worker.store import ReceivedEvent

Floats = npt.NDArray[np.float64]
Draw = Callable[[np.random.Generator, int], Floats]


@dataclass(frozen=True, kw_only=True)
class Traffic:
    """Events of a version from `start` on, `by_hour` of them in each hour; a measure without a draw is not sent."""

    version: str
    start: datetime
    by_hour: Sequence[int]
    latency_ms: Draw | None = None
    cost_usd: Draw | None = None
    score: Draw | None = None


def around(geometric_mean: float, spread: float = 0.3) -> Draw:
    """Lognormal; `spread` is the standard deviation of the logarithms."""
    return lambda drawn, count: geometric_mean * drawn.lognormal(0, spread, count)


def always(value: float) -> Draw:
    return lambda _, count: np.full(count, value)


def passes(share: float) -> Draw:
    """A score of 1, in so many of all cases, or 0."""
    return lambda drawn, count: (drawn.random(count) < share).astype(np.float64)


def events_of(project_id: int, prompt: UUID, traffic: Traffic, seed: int) -> list[ReceivedEvent]:
    drawn = np.random.default_rng(seed)
    hours = np.repeat(np.arange(len(traffic.by_hour)), traffic.by_hour)
    seconds = hours * 3_600 + drawn.uniform(0, 3_600, len(hours))
    latencies, costs, scores = (
        _decimals(draw, drawn, len(hours)) for draw in (traffic.latency_ms, traffic.cost_usd, traffic.score)
    )
    return [
        ReceivedEvent(
            Event(new_event_id(), project_id, prompt, traffic.version, latency, cost, score),
            int((traffic.start + timedelta(seconds=float(second))).timestamp() * 1_000),
        )
        for second, latency, cost, score in zip(seconds, latencies, costs, scores, strict=True)
    ]


def _decimals(draw: Draw | None, drawn: np.random.Generator, count: int) -> list[Decimal] | list[None]:
    return [Decimal(f"{value:.6f}") for value in draw(drawn, count)] if draw else [None] * count

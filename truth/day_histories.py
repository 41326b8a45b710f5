"""Prompts with a known history, day by day, for tests and proofs of what has changed: no database is needed.

Each day is so much slower or dearer than another by a shock that partly goes on the next day, and weekends are quieter
and slower than other days. Latencies and costs are log-normal, scores lie between 0 and 1.
"""

from dataclasses import dataclass

import numpy as np

from app.core.analytics.arrays import Floats
from app.core.analytics.percentiles import DecodedHistograms
from app.core.analytics.prompt_days import DAYS_OF_A_WEEK, Daily, Measure, PromptDays
from app.core.rollups.latency_histogram import LOG_GROWTH

WEEKEND_TRAFFIC = 0.3
WEEKEND_SLOWER = 0.1
SPREAD = 0.8
"""The standard deviation of the logarithms of latencies and costs."""


@dataclass(frozen=True)
class World:
    """How many events a working day has, how days scatter, and what part of a day's shock the next one keeps.

    `step`: how much all goes up (in logarithms; scores by a third of it) on the day `from_day` and stays.
    """

    events_a_day: float
    shock: float = 0.0
    kept: float = 0.0
    heavy_tails: bool = False
    step: float = 0.0
    from_day: int = 0


@dataclass(frozen=True)
class History:
    """What `PromptDays` are cut out of."""

    prompts: int
    days: int
    measures: dict[Measure, Daily]
    histograms: DecodedHistograms

    def between(self, first: int, last: int) -> PromptDays:
        """The days from the first one up to, and without, the last."""
        prompt, day = np.divmod(self.histograms.owner, self.days)
        chosen = (day >= first) & (day < last)
        measures = {
            name: Daily(*(each[:, first:last] for each in (daily.count, daily.mean, daily.deviation)))
            for name, daily in self.measures.items()
        }
        owner = prompt[chosen] * (last - first) + day[chosen] - first
        histograms = DecodedHistograms(owner, self.histograms.bucket[chosen], self.histograms.count[chosen])
        return PromptDays(np.arange(1, self.prompts + 1), last - first, measures, histograms)


def history(random: np.random.Generator, world: World, *, prompts: int, days: int) -> History:
    weekend = np.arange(days) % DAYS_OF_A_WEEK >= DAYS_OF_A_WEEK - 2
    traffic = world.events_a_day * np.where(weekend, WEEKEND_TRAFFIC, 1)
    events = random.poisson(traffic, (prompts, days))
    level = _shocks(random, world, prompts, days) + WEEKEND_SLOWER * weekend
    level[:, world.from_day :] += world.step
    owner = np.repeat(np.arange(prompts * days), events.ravel())
    of_event = level.ravel()[owner]
    latency = 6.5 + of_event + SPREAD * random.standard_normal(len(owner))
    cost = np.exp(of_event + SPREAD * random.standard_normal(len(owner)))
    score = np.clip(0.8 + of_event / 3 + 0.2 * random.standard_normal(len(owner)), 0, 1)
    measures: dict[Measure, Daily] = {
        "cost_usd": _daily(owner, cost, prompts, days),
        "latency_ms": _daily(owner, latency, prompts, days),
        "score": _daily(owner, score, prompts, days),
    }
    return History(prompts, days, measures, _histograms(owner, latency))


def _shocks(random: np.random.Generator, world: World, prompts: int, days: int) -> Floats:
    shape = (prompts, days)
    fresh = random.standard_t(4, shape) / np.sqrt(2) if world.heavy_tails else random.standard_normal(shape)
    shocks = np.empty(shape)
    shocks[:, 0] = fresh[:, 0]
    for day in range(1, days):
        shocks[:, day] = world.kept * shocks[:, day - 1] + np.sqrt(1 - world.kept**2) * fresh[:, day]
    return world.shock * shocks


def _daily(owner: "np.ndarray[tuple[int], np.dtype[np.intp]]", values: Floats, prompts: int, days: int) -> Daily:
    size = prompts * days
    count = np.bincount(owner, minlength=size).astype(np.float64)
    mean = np.bincount(owner, values, size) / np.maximum(count, 1)
    deviation = np.bincount(owner, (values - mean[owner]) ** 2, size).astype(np.float64, copy=False)
    return Daily(count.reshape(prompts, days), mean.reshape(prompts, days), deviation.reshape(prompts, days))


def _histograms(owner: "np.ndarray[tuple[int], np.dtype[np.intp]]", logarithms: Floats) -> DecodedHistograms:
    buckets = np.ceil(logarithms / LOG_GROWTH).astype(np.intp)
    lowest = int(buckets.min(initial=0))
    width = int(buckets.max(initial=0)) - lowest + 1
    counts = np.bincount(owner * width + buckets - lowest)
    used = np.flatnonzero(counts)
    return DecodedHistograms(used // width, used % width + lowest, counts[used].astype(np.float64))

"""Events of versions whose true difference is known."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.signal import lfilter
from scipy.special import ndtr
from scipy.stats import beta

from app.core.analytics.arrays import Floats, Integers
from app.core.analytics.evidence import DAY_SECONDS, HOUR_SECONDS, Measure
from app.core.rollups.latency_histogram import LOG_GROWTH

START_SECONDS = 2_000 * 7 * DAY_SECONDS
"""A time that begins an hour of a day of a week, as good as any other."""
CORRELATION = np.array([[1, 0.5, 0.1], [0.5, 1, -0.2], [0.1, -0.2, 1]])
"""Of cost, latency and score of one event: long answers cost more and take longer, and slow ones please less."""
SCORE = np.linspace(0, 1, 2_001)
SCORE_QUANTILES = 0.05 + 0.85 * beta.ppf(SCORE, 1.0, 0.43)
"""Most scores are high and some are very low; what an hour or a version adds keeps them within 0 and 1."""
SCORE_SD = 0.85 * float(beta.std(1.0, 0.43))


@dataclass(frozen=True, slots=True)
class Effect:
    """What the candidates truly have more than the baseline: logarithms of ratios, and a difference of scores."""

    cost_usd: float = 0.0
    latency_ms: float = 0.0
    score: float = 0.0


@dataclass(frozen=True, slots=True)
class World:
    """How events come about.

    `shares`: of the versions, the baseline first; at the end they are `final_shares`. `cost_sigma`, `latency_sigma`: of
    the logarithms. `rhythm`: how much traffic and slowness swing over the day; `drift`: the standard deviation of what
    an hour adds to the load of all versions from then on; `day_shock`, `weekend`: what days bring. `phi`: the
    correlation of a version's event with the one before it. `bunch`: how many events in a row are retries of one
    another on average, sharing half of their variance.
    """

    shares: Sequence[float] = (0.5, 0.5)
    final_shares: Sequence[float] | None = None
    effect: Effect = Effect()
    cost_sigma: float = 0.8
    latency_sigma: float = 0.8
    rhythm: float = 0.3
    drift: float = 0.03
    day_shock: float = 0.0
    weekend: float = 0.0
    phi: float = 0.0
    bunch: float = 1.0


@dataclass(frozen=True, slots=True)
class Events:
    """In order of time. `values`: cost, the logarithm of latency, and score; `bucket`: of the latency's histogram."""

    seconds: Integers
    version: Integers
    values: dict[Measure, Floats]
    bucket: Integers

    def of(self, baseline: int, candidate: int) -> "Events":
        """Of two versions, which are 0 and 1 then."""
        chosen = (self.version == baseline) | (self.version == candidate)
        return self.only(chosen, (self.version[chosen] == candidate).astype(np.intp))

    def only(self, chosen: npt.NDArray[np.bool_], version: Integers) -> "Events":
        values = {measure: each[chosen] for measure, each in self.values.items()}
        return Events(self.seconds[chosen], version, values, self.bucket[chosen])


def draw(world: World, rng: np.random.Generator, *, events: int, hours: int) -> Events:
    """So many events in so many hours."""
    hour = np.arange(hours)
    of_day = np.sin(2 * np.pi * (hour + rng.integers(24)) / 24)
    traffic = 1 + 0.8 * of_day if world.rhythm else np.ones(hours)
    load = world.rhythm * of_day + rng.normal(0, world.drift, hours).cumsum()
    day = hour // 24
    load += rng.normal(0, world.day_shock, day[-1] + 1)[day] + world.weekend * ((day + rng.integers(7)) % 7 >= 5)
    counts = rng.multinomial(events, traffic / traffic.sum())
    seconds = np.sort(START_SECONDS + HOUR_SECONDS * np.repeat(hour, counts) + rng.integers(0, HOUR_SECONDS, events))
    version = _versions(world, rng, events)
    return _events(
        world, seconds, version, _noise(world, version, rng), load[(seconds - START_SECONDS) // HOUR_SECONDS]
    )


def switched(events: Events, switch_seconds: int) -> Events:
    """The same events, if the candidate had taken the baseline's place then, with no effect of its own."""
    return events.only(
        np.full(len(events.seconds), fill_value=True), (events.seconds >= switch_seconds).astype(np.intp)
    )


def _versions(world: World, rng: np.random.Generator, events: int) -> Integers:
    first, last = np.array(world.shares), np.array(world.final_shares or world.shares)
    edges = (first + np.linspace(0, 1, events)[:, None] * (last - first)).cumsum(axis=1)[:, :-1]
    return np.asarray((rng.random(events)[:, None] > edges).sum(axis=1), np.intp)


def _noise(world: World, version: Integers, rng: np.random.Generator) -> Floats:
    """Standard normal, a row for each measure."""
    correlate = np.linalg.cholesky(CORRELATION)
    noise = correlate @ rng.normal(size=(3, len(version)))
    for each in range(len(world.shares)):
        own = np.flatnonzero(version == each)
        if world.phi and len(own):
            fresh = noise[:, own] * np.sqrt(1 - world.phi**2)
            fresh[:, 0] = noise[:, own[0]]
            noise[:, own] = lfilter([1.0], [1.0, -world.phi], fresh, axis=1)
        if world.bunch > 1:
            bunch = (rng.random(len(own)) < 1 / world.bunch).cumsum()
            shared = correlate @ rng.normal(size=(3, len(own) + 1))
            noise[:, own] = np.sqrt(0.5) * (noise[:, own] + shared[:, bunch])
    return noise


def _events(world: World, seconds: Integers, version: Integers, noise: Floats, load: Floats) -> Events:
    is_candidate = version > 0
    cost = np.exp(-5 + 0.3 * load + world.cost_sigma * noise[0] + world.effect.cost_usd * is_candidate)
    latency = 7 + load + world.latency_sigma * noise[1] + world.effect.latency_ms * is_candidate
    score = np.interp(ndtr(noise[2]), SCORE, SCORE_QUANTILES) - 0.05 * np.tanh(load)
    score += world.effect.score * is_candidate
    values: dict[Measure, Floats] = {"cost_usd": cost, "latency_ms": latency, "score": score}
    return Events(seconds, version, values, np.ceil(latency / LOG_GROWTH).astype(np.intp))

"""The events of the story: the same ones for the same seed, whoever asks and whenever.

Time is cut into slices of ten minutes, each of which is drawn by itself, so that a later run draws the earlier slices
again exactly as they were.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from math import ceil
from typing import Any

import numpy as np

from app.demo.story import PROMPTS, SLOWDOWN, STORY_DAYS, Prompt, Version

SLICE_SECONDS = 600
HOUR_SECONDS = 3_600
DAY_SECONDS = 86_400
OLDEST_DAYS = 30
"""The service takes nothing older."""
SATURDAY = 5
GROWTH_OF_A_STORY = 0.35
DAY_TO_DAY = 0.07
"""How far the days differ from each other: the standard deviation of the logarithm."""
LATENCY_SPREAD = 0.38
TOKEN_SPREAD = 0.45
SCORE_CONCENTRATION = 14.0
CACHED_INPUT = 0.25
"""The share of calls that find half of their input in the provider's cache, and pay less."""

Event = dict[str, Any]


@dataclass(frozen=True)
class History:
    """`end` is the story's last moment, in seconds since the epoch; from then on all goes on as it was then."""

    seed: int
    events_per_day: float
    days: float
    end: float

    def slices(self, now: float, *, spare_seconds: float) -> Iterator[int]:
        """Where the complete slices until now begin, oldest first.

        None is so old that the service would not take it any more after `spare_seconds`.
        """
        first = max(self.end - self.days * DAY_SECONDS, now - OLDEST_DAYS * DAY_SECONDS + spare_seconds)
        for number in range(ceil(first / SLICE_SECONDS), int(now // SLICE_SECONDS)):
            yield number * SLICE_SECONDS

    def events(self, slice_start: int) -> list[Event]:
        """What one slice brought, as the API takes it, by time."""
        random = np.random.default_rng([self.seed, slice_start])
        found: list[Event] = []
        for number, prompt in enumerate(PROMPTS):
            count = int(random.poisson(self._expected(number, prompt, slice_start)))
            if count:
                found += self._of_prompt(random, prompt, count, slice_start)
        found.sort(key=lambda event: str(event["timestamp"]))
        return found

    def days_before_end(self, moment: float) -> float:
        """In days of the story, which is told faster where the history is shorter."""
        return max(0.0, self.end - moment) / DAY_SECONDS * STORY_DAYS / self.days

    def _expected(self, number: int, prompt: Prompt, slice_start: int) -> float:
        day, second = divmod(slice_start + SLICE_SECONDS / 2, DAY_SECONDS)
        weekend = datetime.fromtimestamp(slice_start, UTC).weekday() >= SATURDAY
        daily = _between_hours(prompt, second / HOUR_SECONDS) / (sum(prompt.rhythm) / len(prompt.rhythm))
        weekly = (prompt.weekend if weekend else 1.0) / ((5 + 2 * prompt.weekend) / 7)
        growth = 1.0 + GROWTH_OF_A_STORY * (0.5 - self.days_before_end(slice_start) / STORY_DAYS)
        mood = _mood(self.seed, int(day), number)
        return self.events_per_day * SLICE_SECONDS / DAY_SECONDS * prompt.traffic * daily * weekly * growth * mood

    def _of_prompt(self, random: np.random.Generator, prompt: Prompt, count: int, slice_start: int) -> list[Event]:
        moment = self.days_before_end(slice_start)
        moments_ms = slice_start * 1_000 + random.integers(0, SLICE_SECONDS * 1_000, count)
        versions = random.choice(len(prompt.versions), count, p=shares(prompt, moment))
        prompt_id = str(prompt.prompt_id)
        found: list[Event] = []
        for place in sorted(set(versions.tolist())):
            version = prompt.versions[place]
            mine = moments_ms[versions == place]
            measured = _measure(random, prompt, version, len(mine), SLOWDOWN.factor_at(moment))
            head = {"prompt_id": prompt_id, "version_hash": prompt.version_hash(version)}
            found += [
                head | {"timestamp": _time_text(at_ms)} | values for at_ms, values in zip(mine, measured, strict=True)
            ]
        return found


def shares(prompt: Prompt, days_before_end: float) -> list[float]:
    """How the traffic of a prompt is divided between its versions; the newest takes its share first."""
    left = 1.0
    found = []
    for version in reversed(prompt.versions[1:]):
        share = left * version.rollout.share_at(days_before_end)
        found.append(share)
        left -= share
    return [left, *reversed(found)]


@lru_cache(maxsize=10_000)
def _mood(seed: int, day: int, number: int) -> float:
    """No two days are alike."""
    return float(np.random.default_rng([seed, day, number]).lognormal(-(DAY_TO_DAY**2) / 2, DAY_TO_DAY))


def _between_hours(prompt: Prompt, hour: float) -> float:
    """How busy it is; the rhythm tells it for the middle of each hour."""
    before, way = divmod(hour - 0.5, 1.0)
    return prompt.rhythm[int(before) % 24] * (1 - way) + prompt.rhythm[int(before + 1) % 24] * way


def _measure(
    random: np.random.Generator, prompt: Prompt, version: Version, count: int, slowdown: float
) -> Iterator[dict[str, float]]:
    model = version.model
    input_tokens = version.input_tokens * random.lognormal(0, TOKEN_SPREAD / 2, count)
    output_tokens = np.ceil(version.output_tokens * random.lognormal(0, TOKEN_SPREAD, count))
    paid = input_tokens * np.where(random.random(count) < CACHED_INPUT, 0.5, 1.0)
    cost_usd = (paid * model.input_usd + output_tokens * model.output_usd) / 1e6
    calm_ms = (model.first_token_ms + output_tokens * model.output_token_ms) * version.slower
    latency_ms = calm_ms * random.lognormal(0, LATENCY_SPREAD, count) * slowdown
    mean = version.score if version.score is not None else 0.5
    score = random.beta(mean * SCORE_CONCENTRATION, (1 - mean) * SCORE_CONCENTRATION, count)
    priced = random.random(count) < prompt.priced
    scored = (random.random(count) < prompt.scored) & (version.score is not None)
    for place in range(count):
        values = {"latency_ms": round(float(latency_ms[place]), 1)}
        if priced[place]:
            values["cost_usd"] = round(float(cost_usd[place]), 7)
        if scored[place]:
            values["score"] = round(float(score[place]), 3)
        yield values


def _time_text(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1_000, UTC).isoformat(timespec="milliseconds")

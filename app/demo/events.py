"""The events of the story: the same ones for the same seed, whoever asks and whenever.

Time is cut into slices of ten minutes, each of which is drawn by itself, so that a later run draws the earlier slices
again exactly as they were.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from math import ceil
from typing import Any

import numpy as np

from app.demo.story import PROMPTS, STORY_DAYS, Prompt, Version

SLICE_SECONDS = 600
DAY_SECONDS = 86_400
OLDEST_DAYS = 30
"""The service takes nothing older."""
SATURDAY = 5
GROWTH_OF_A_STORY = 0.35
LATENCY_SPREAD = 0.38
TOKEN_SPREAD = 0.45
SCORE_CONCENTRATION = 14.0

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
        # in days of the story, which is told faster where the history is shorter
        moment = max(0.0, self.end - slice_start) / DAY_SECONDS * STORY_DAYS / self.days
        found: list[Event] = []
        for prompt in PROMPTS:
            expected = self.events_per_day * SLICE_SECONDS / DAY_SECONDS * _busyness(prompt, slice_start, moment)
            for place in random.choice(len(prompt.versions), random.poisson(expected), p=shares(prompt, moment)):
                at_ms = slice_start * 1_000 + int(random.integers(SLICE_SECONDS * 1_000))
                found.append(_event(random, prompt, prompt.versions[place], at_ms))
        return sorted(found, key=lambda event: str(event["timestamp"]))


def shares(prompt: Prompt, days_before_end: float) -> list[float]:
    """How the traffic of a prompt is divided between its versions; the newest takes its share first."""
    left = 1.0
    found = []
    for version in reversed(prompt.versions[1:]):
        share = left * version.share_at(days_before_end)
        found.append(share)
        left -= share
    return [left, *reversed(found)]


def _busyness(prompt: Prompt, slice_start: int, moment: float) -> float:
    """A prompt's part of all events at a time; its mean over weeks is the prompt's traffic."""
    time = datetime.fromtimestamp(slice_start, UTC)
    daily = prompt.rhythm[time.hour] * len(prompt.rhythm) / sum(prompt.rhythm)
    weekly = (prompt.weekend if time.weekday() >= SATURDAY else 1.0) * 7 / (5 + 2 * prompt.weekend)
    return prompt.traffic * daily * weekly * (1.0 + GROWTH_OF_A_STORY * (0.5 - moment / STORY_DAYS))


def _event(random: np.random.Generator, prompt: Prompt, version: Version, at_ms: int) -> Event:
    model = version.model
    input_tokens = version.input_tokens * random.lognormal(0, TOKEN_SPREAD / 2)
    output_tokens = ceil(version.output_tokens * random.lognormal(0, TOKEN_SPREAD))
    latency_ms = (model.first_token_ms + output_tokens * model.output_token_ms) * version.slower
    event: Event = {
        "prompt_id": str(prompt.prompt_id),
        "version_hash": prompt.version_hash(version),
        "timestamp": datetime.fromtimestamp(at_ms / 1_000, UTC).isoformat(timespec="milliseconds"),
        "latency_ms": round(latency_ms * random.lognormal(0, LATENCY_SPREAD), 1),
    }
    if random.random() < prompt.priced:
        event["cost_usd"] = round((input_tokens * model.input_usd + output_tokens * model.output_usd) / 1e6, 7)
    if version.score is not None and random.random() < prompt.scored:
        alpha = version.score * SCORE_CONCENTRATION
        event["score"] = round(float(random.beta(alpha, SCORE_CONCENTRATION - alpha)), 3)
    return event

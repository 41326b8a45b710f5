"""How often a prompt is said to have moved: one that has not, and one that has.

A prompt-month is 31 looks, one after each complete day, as the dashboard takes them.
"""

from collections.abc import Sequence
from functools import partial

import numpy as np
import numpy.typing as npt

from app.core.analytics.moved import LOOKS_OF_A_MONTH, MOVED_MEASURES, WEEKS, moved
from app.core.analytics.prompt_days import DAYS_OF_A_WEEK, PromptDays
from truth.day_histories import World, history
from truth.experiments import Experiment
from truth.shares import Row, Share

Named = npt.NDArray[np.bool_]
"""By prompts and MOVED_MEASURES: whether it is named for that."""

PROMPTS = 10
"""That are drawn at once: more would only need more memory."""
MOST_FALSE = 0.01
DAYS = WEEKS * DAYS_OF_A_WEEK
DAYS_SINCE = (3, 5, 7)
MONTH_RUNS, FOUND_RUNS = 0.12, 0.02
"""Shares of the runs that are asked for: each is one of PROMPTS."""
_MEASURE_WORDS = {"cost_usd": "cost", "latency_p95_ms": "p95 latency", "score": "score"}


def named_in_a_month(world: World, rng: np.random.Generator) -> Named:
    """In any of the looks."""
    drawn = history(rng, world, prompts=PROMPTS, days=DAYS + LOOKS_OF_A_MONTH - 1)
    named = np.zeros((PROMPTS, len(MOVED_MEASURES)), np.bool_)
    for look in range(LOOKS_OF_A_MONTH):
        named |= _named(drawn.between(look, look + DAYS))
    return named


def named_since(world: World, rng: np.random.Generator) -> Named:
    """At the looks of DAYS_SINCE after the change, which are the first axis."""
    drawn = history(rng, world, prompts=PROMPTS, days=DAYS + max(DAYS_SINCE))
    return np.stack([_named(drawn.between(days, days + DAYS)) for days in DAYS_SINCE])


def month_row(name: str, results: Sequence[Named]) -> Row:
    named = np.concatenate(results)
    share = Share(int(named.any(axis=1).sum()), len(named))
    of_measures = zip(MOVED_MEASURES, named.mean(axis=0).tolist(), strict=True)
    parts = ", ".join(f"{_MEASURE_WORDS[measure]} {value:.1%}" for measure, value in of_measures)
    measured = f"{share} of {share.runs:,} prompt-months; {parts.replace('%', ' %')}"
    return Row(name, measured, f"at most {MOST_FALSE:.0%}".replace("%", " %"), share.is_at_most(MOST_FALSE))


def since_row(name: str, results: Sequence[Named]) -> Row:
    named = np.concatenate(results, axis=1)
    shares = zip(DAYS_SINCE, named.any(axis=2).mean(axis=1).tolist(), strict=True)
    measured = ", ".join(f"{value:.0%} after {days}".replace("%", " %") for days, value in shares)
    return Row(name, f"{measured} days, of {named.shape[1]:,} prompts", "nothing", None)


def _named(days: PromptDays) -> Named:
    named = np.zeros((len(days.keys), len(MOVED_MEASURES)), np.bool_)
    places = {key: place for place, key in enumerate(days.keys.tolist())}
    for move in moved(days):
        named[places[move.prompt_key], MOVED_MEASURES.index(move.measure)] = True
    return named


def _unchanged(name: str, world: World) -> Experiment:
    return Experiment(
        f"unchanged prompts, {name}: one is named", partial(named_in_a_month, world), month_row, MONTH_RUNS
    )


def _changed(name: str, world: World) -> Experiment:
    return Experiment(f"a prompt with {name}: it is named", partial(named_since, world), since_row, FOUND_RUNS)


PROMPT_EXPERIMENTS = (
    _unchanged("100 events a day", World(100)),
    _unchanged("days differ by 5 %", World(100, shock=0.05)),
    _unchanged("days differ by 5 %, half of it stays", World(100, shock=0.05, kept=0.5)),
    _unchanged("by 15 %, half stays", World(100, shock=0.15, kept=0.5)),
    _unchanged("by 10 %, heavy tails, 30 % stays", World(100, shock=0.10, kept=0.3, heavy_tails=True)),
    _unchanged("by 10 %, 70 % stays", World(100, shock=0.10, kept=0.7)),
    _unchanged("20 events a day, by 5 %, 30 % stays", World(20, shock=0.05, kept=0.3)),
    _changed("200 events a day, 30 % up", World(200, shock=0.03, kept=0.3, step=0.262, from_day=DAYS)),
    _changed("2,000 events a day, 15 % up", World(2_000, shock=0.03, kept=0.3, step=0.140, from_day=DAYS)),
    _changed("2,000 events a day, 30 % up", World(2_000, shock=0.03, kept=0.3, step=0.262, from_day=DAYS)),
)

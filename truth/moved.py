"""How often a prompt is said to have moved, one that has not and one that has: `python -m truth.moved`.

A prompt-month is 31 looks, one after each complete day, as the dashboard takes them.
"""

import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from app.core.analytics.moved import LOOKS_OF_A_MONTH, MOVED_MEASURES, WEEKS, moved
from app.core.analytics.prompt_days import DAYS_OF_A_WEEK
from truth.day_histories import World, history

PROMPTS = 400
"""That are drawn at once: more would only need more memory."""
ROUNDS = 3
SHORT_ROUNDS = 1
DAYS = WEEKS * DAYS_OF_A_WEEK
DAYS_SINCE = (3, 5, 7)

UNCHANGED = {
    "events alone": World(100),
    "days differ by 5 %": World(100, shock=0.05),
    "and half of it stays": World(100, shock=0.05, kept=0.5),
    "by 15 %, half stays": World(100, shock=0.15, kept=0.5),
    "by 10 %, heavy tails": World(100, shock=0.10, kept=0.3, heavy_tails=True),
    "by 10 %, 70 % stays": World(100, shock=0.10, kept=0.7),
    "few events": World(20, shock=0.05, kept=0.3),
}
CHANGED = {
    "200 events, 30 % up": World(200, shock=0.03, kept=0.3, step=0.262, from_day=DAYS),
    "2,000 events, 15 % up": World(2_000, shock=0.03, kept=0.3, step=0.140, from_day=DAYS),
    "2,000 events, 30 % up": World(2_000, shock=0.03, kept=0.3, step=0.262, from_day=DAYS),
}


class Row(NamedTuple):
    """Shares of prompts (or of prompt-months) of which something was said, and by measure."""

    world: str
    prompts: int
    share: float
    of_measures: dict[str, float]


def rows(*, short: bool = False) -> Iterator[Row]:
    """Unchanged prompt-months first; then, of changed prompts, those that are named so many days after the change."""
    random = np.random.default_rng(20)
    rounds = SHORT_ROUNDS if short else ROUNDS
    for name, world in UNCHANGED.items():
        yield false_entries(random, name, world, rounds=rounds)
    for name, world in CHANGED.items():
        yield from found_after(random, name, world, prompts=PROMPTS // (40 if short else 8))


def false_entries(random: np.random.Generator, name: str, world: World, *, rounds: int) -> Row:
    named: Counter[str] = Counter()
    months = 0
    for _ in range(rounds):
        drawn = history(random, world, prompts=PROMPTS, days=DAYS + LOOKS_OF_A_MONTH - 1)
        found = {
            (move.prompt_key, move.measure)
            for look in range(LOOKS_OF_A_MONTH)
            for move in moved(drawn.between(look, look + DAYS))
        }
        months += len({prompt for prompt, _ in found})
        named.update(measure for _, measure in found)
    return _row(name, PROMPTS * rounds, months, named)


def found_after(random: np.random.Generator, name: str, world: World, *, prompts: int) -> Iterator[Row]:
    drawn = history(random, world, prompts=prompts, days=DAYS + max(DAYS_SINCE))
    for days in DAYS_SINCE:
        found = moved(drawn.between(days, days + DAYS))
        names = {move.prompt_key for move in found}
        yield _row(f"{name}, {days} days ago", prompts, len(names), Counter(move.measure for move in found))


def _row(world: str, prompts: int, named: int, of_measures: "Counter[str]") -> Row:
    return Row(world, prompts, named / prompts, {name: of_measures[name] / prompts for name in MOVED_MEASURES})


def table(lines: Sequence[Row] | Iterator[Row]) -> Iterator[str]:
    """As Markdown."""
    yield "| world | prompts | named | cost | p95 latency | score |"
    yield "|---|---|---|---|---|---|"
    for row in lines:
        of_measures = " | ".join(f"{row.of_measures[name]:.1%}" for name in MOVED_MEASURES)
        yield f"| {row.world} | {row.prompts:,} | {row.share:.1%} | {of_measures} |"


if __name__ == "__main__":
    for line in table(rows(short="--short" in sys.argv)):
        sys.stdout.write(f"{line}\n")
        sys.stdout.flush()

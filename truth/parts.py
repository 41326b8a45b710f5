"""The parts of `make truth`, each with a table of its own in docs/statistics.md."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from truth.experiments import EXPERIMENTS, LIMIT_RUNS, WAIT_RUNS, Experiment
from truth.moved import FOUND_RUNS, MONTH_RUNS, PROMPT_EXPERIMENTS, PROMPTS


@dataclass(frozen=True, slots=True)
class PartOfTruth:
    """`sizes` says how much is simulated where so many runs are asked for."""

    experiments: tuple[Experiment, ...]
    sizes: Callable[[int], str]


def runs_of(experiment: Experiment, runs: int) -> int:
    return max(1, round(runs * experiment.runs))


def _sizes_of_versions(runs: int) -> str:
    shares = f"{WAIT_RUNS:.0%} of that of waits, {LIMIT_RUNS:.0%} where nothing is claimed".replace("%", " %")
    return f"{runs:,} runs of each row ({shares})"


def _sizes_of_prompts(runs: int) -> str:
    months, prompts = (max(1, round(runs * share)) * PROMPTS for share in (MONTH_RUNS, FOUND_RUNS))
    return f"{months:,} prompt-months and {prompts:,} changed prompts of each row"


PARTS = {
    "versions": PartOfTruth(EXPERIMENTS, _sizes_of_versions),
    "prompts": PartOfTruth(PROMPT_EXPERIMENTS, _sizes_of_prompts),
}


def one_run(part: str, place: int, seed: int, number: int) -> Any:
    """Run an experiment of a part once."""
    return PARTS[part].experiments[place].run(np.random.default_rng([seed, place, number]))

"""What is simulated and claimed. Each experiment runs many times, and each run gives what its row is made of."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from math import expm1, log, sqrt
from typing import Any

import numpy as np
from scipy.stats import norm

from app.core.analytics.comparison import ALPHA, DEFAULT_MARGINS, MeasureName, find
from app.core.analytics.decision import decide
from app.core.analytics.forecast import growth_needed
from truth.events import SCORE_SD, Effect, World, draw
from truth.looks import side_by_side
from truth.runs import alpha_for, life_before_after, lives_side_by_side, pace, said, truth_of
from truth.screen import may_exclude
from truth.shares import Row, Share

EVENTS = 20_000
HOURS_BEFORE_AND_AFTER = 2_000
LONGEST_WAIT = 90_000
POWER, SLOWER = 0.9, 1.7
LOOKS_AT_WAITS = (0.3, 0.5)
"""When the wait is asked for: at these shares of the events after which something was decided in the end."""
WAITS_OF_NOTHING, WAITS_OF_SOMETHING = 0.8, 0.65
"""Shares of the waits that are told within a factor of two. Where versions differ, 80 % was aimed at and missed."""


@dataclass(frozen=True, slots=True)
class Experiment:
    """`runs`: as a share of those that are asked for. `run`'s results go to `row`."""

    name: str
    run: Callable[[np.random.Generator], Any]
    row: Callable[[str, Sequence[Any]], Row]
    runs: float = 1.0


def ever_wrong(world: World, rng: np.random.Generator) -> bool:
    """Whether any interval of any candidate leaves the truth out at any look."""
    alpha, truth = alpha_for(world), truth_of(world)
    return any(
        any(True for _ in said(life, alpha, rng, truth))
        for life in lives_side_by_side(world, rng, events=EVENTS, alpha=alpha)
    )


def ever_wrong_apart(world: World, rng: np.random.Generator) -> bool:
    """The same before and after a change that changes nothing."""
    alpha, truth = alpha_for(world), truth_of(world)
    life = life_before_after(world, rng, events=EVENTS, hours=HOURS_BEFORE_AND_AFTER, alpha=alpha)
    return any(True for _ in said(life, alpha, rng, truth))


def ever_shipped(world: World, rng: np.random.Generator) -> bool:
    """Whether a version that is worse by more than its margin is ever called better or no different.

    That takes an interval that leaves the truth out, so no other look is asked.
    """
    alpha, truth = alpha_for(world), truth_of(world)
    return any(
        decide(list(findings.values())) in ("better", "no_difference")
        for life in lives_side_by_side(world, rng, events=EVENTS, alpha=alpha)
        for _, findings in said(life, alpha, rng, truth)
    )


def fixed_sample(world: World, measure: MeasureName, alpha: float) -> float:
    """How many events a test of one look needs in all, to find the effect in 90 % of cases."""
    effect = truth_of(world)[measure]
    sd = {"cost_usd": sqrt(expm1(world.cost_sigma**2)), "latency_ms": world.latency_sigma, "score": SCORE_SD}[measure]
    return float(4 * sd**2 * (norm.isf(alpha / 2) + norm.ppf(POWER)) ** 2 / effect**2)


def found_after(world: World, measure: MeasureName, rng: np.random.Generator) -> float:
    """After how many times the events of the fixed sample the effect is found; infinite where not within 2.2 times."""
    alpha = alpha_for(world)
    fixed = fixed_sample(world, measure, alpha)
    events = draw(world, rng, events=int(2.2 * fixed), hours=pace(rng)).of(0, 1)
    looks = np.unique(np.linspace(0.1, 2.2, 211) * fixed).astype(np.intp)
    possible = looks[may_exclude(events, looks, truth_of(World()), alpha)]
    for look in possible.tolist():
        if find(side_by_side(events, look), DEFAULT_MARGINS, alpha)[measure].verdict in ("lower", "higher"):
            return float(look / fixed)
    return np.inf


def waits(world: World, events: int, rng: np.random.Generator) -> list[float]:
    """The waits that were told, as multiples of the true ones; infinite where none was told.

    Empty where nothing was decided within so many events, which is as if the run had not been.
    """
    alpha = alpha_for(world)
    pair = draw(world, rng, events=events, hours=pace(rng)).of(0, 1)
    for look in (250 * 1.04 ** np.arange(log(events / 250) / log(1.04))).astype(int).tolist():
        if decide(list(find(side_by_side(pair, look), DEFAULT_MARGINS, alpha).values())) != "undecided":
            return [_wait(pair, int(share * look), alpha) / (look - int(share * look)) for share in LOOKS_AT_WAITS]
    return []


def _wait(pair: Any, look: int, alpha: float) -> float:
    growth = growth_needed(list(find(side_by_side(pair, look), DEFAULT_MARGINS, alpha).values()), alpha)
    return np.inf if growth is None else (growth - 1) * look


def at_most(name: str, results: Sequence[bool], bound: float = ALPHA, *, is_claimed: bool = True) -> Row:
    share = Share(sum(results), len(results))
    claim = f"at most {bound:.0%}".replace("%", " %") if is_claimed else "nothing"
    return Row(name, str(share), claim, share.is_at_most(bound) if is_claimed else None)


def covered(name: str, results: Sequence[bool]) -> Row:
    share = Share(len(results) - sum(results), len(results))
    return Row(name, str(share), "at least 95 %", share.is_at_least(1 - ALPHA))


def power_row(world: World, measure: MeasureName, name: str, results: Sequence[float]) -> Row:
    share = Share(sum(each <= SLOWER for each in results), len(results))
    half, most = (float(np.quantile(results, each, method="higher")) for each in (0.5, POWER))
    fixed = [fixed_sample(world, measure, each) for each in (alpha_for(world), ALPHA)]
    measured = f"{share} by then; half of the runs by {half:.2f}, 90 % by {most:.2f} times {fixed[0]:,.0f} events"
    measured += f" ({half * fixed[0] / fixed[1]:.2f} and {most * fixed[0] / fixed[1]:.2f} times those of α = 0.05)"
    return Row(name, measured, f"at least 90 % by {SLOWER} times the fixed sample", share.is_at_least(POWER))


def waits_row(bound: float | None, name: str, results: Sequence[list[float]]) -> Row:
    """The waits of one life hang together, so the interval is that of so many lives."""
    told = np.array([each for each in results if each])
    within = (told >= 0.5) & (told <= 2)
    share = Share(round(float(within.mean(axis=1).sum())), len(told))
    looks = zip(LOOKS_AT_WAITS, within.mean(axis=0).tolist(), strict=True)
    measured = f"{share}; {', '.join(f'{value:.0%} at {at:.0%}' for at, value in looks)} of the way"
    claim = f"at least {bound:.0%} within a factor of 2" if bound else "nothing"
    holds = share.is_at_least(bound) if bound else None
    return Row(name, re.sub(r"(?<=\d)%", " %", measured), claim.replace("%", " %"), holds)


CALM = World(drift=0.0)
LATENCY, COST = Effect(latency_ms=log(1.1)), Effect(cost_usd=log(1.1))
SCORE = Effect(score=0.02)
WAIT_RUNS, LIMIT_RUNS = 0.3, 0.1
"""Shares of the runs that are asked for: a wait takes long to simulate, and where nothing is claimed few will do."""


def _equal(name: str, world: World, *, is_claimed: bool = True) -> Experiment:
    run, row = partial(ever_wrong, world), partial(at_most, is_claimed=is_claimed)
    return Experiment(f"equal versions, {name}: something is claimed", run, row, 1 if is_claimed else LIMIT_RUNS)


def _apart(name: str, world: World, *, is_claimed: bool = True) -> Experiment:
    run, row = partial(ever_wrong_apart, world), partial(at_most, is_claimed=is_claimed)
    return Experiment(f"before and after, {name}: something is claimed", run, row, 1 if is_claimed else LIMIT_RUNS)


def _power(name: str, effect: Effect, measure: MeasureName) -> Experiment:
    world = World(effect=effect)
    return Experiment(f"{name} is found", partial(found_after, world, measure), partial(power_row, world, measure))


def _waits(name: str, effect: Effect, bound: float | None) -> Experiment:
    run, row = partial(waits, World(effect=effect), LONGEST_WAIT), partial(waits_row, bound)
    return Experiment(f"{name}: the wait that is told", run, row, WAIT_RUNS)


EXPERIMENTS = (
    _equal("half of the traffic each", World()),
    _equal("one event in ten", World(shares=(0.9, 0.1))),
    _equal("no rhythm, little skew", World(rhythm=0.0, drift=0.0, cost_sigma=0.5)),
    _equal("much skew", World(cost_sigma=1.0, latency_sigma=1.0)),
    _equal("ten of them", World(shares=(0.1,) * 10)),
    _equal("a rollout from 10 to 90 %", World(shares=(0.9, 0.1), final_shares=(0.1, 0.9))),
    _equal("events that resemble the last (φ = 0.3)", World(phi=0.3)),
    _equal("retries in bunches of two", World(bunch=2.0)),
    _equal("φ = 0.5", World(phi=0.5), is_claimed=False),
    _equal("φ = 0.8", World(phi=0.8), is_claimed=False),
    _apart("days alike", CALM),
    _apart("days 5 % apart, weekends 18 % faster", replace(CALM, day_shock=0.05, weekend=-0.2)),
    _apart("a slow trend", replace(CALM, drift=0.01), is_claimed=False),
    Experiment(
        "cost +10 %, latency -5 %, score +0.02: every interval holds the truth at every look",
        partial(ever_wrong, World(effect=Effect(log(1.1), log(0.95), 0.02))),
        covered,
    ),
    Experiment(
        "cost +6 %, latency -10 %: it is called better or no different",
        partial(ever_shipped, World(effect=Effect(log(1.06), log(0.9), 0.0))),
        at_most,
    ),
    _power("latency +10 %", LATENCY, "latency_ms"),
    _power("cost +10 %", COST, "cost_usd"),
    _power("score +0.02", SCORE, "score"),
    _waits("no difference", Effect(), WAITS_OF_NOTHING),
    _waits("cost -10 %", Effect(cost_usd=-log(1.1)), WAITS_OF_SOMETHING),
    _waits("latency -10 %", Effect(latency_ms=-log(1.1)), WAITS_OF_SOMETHING),
    _waits("latency +10 %", LATENCY, None),
)

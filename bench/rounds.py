"""Contenders under load, measured in turn: the machine's good and bad minutes fall on all of them alike."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from bench.cpu import CpuLog
from bench.load_generator import PACED_CONNECTIONS, Load, Source, run_load, send_one, think_ms_for
from bench.stand import Stand

WARM_UP_SECONDS = 1

Result = TypeVar("Result")


@dataclass(frozen=True)
class Contender:
    """A server under load. Each of its requests carries `events_per_request`; `cpu` logs what they cost, if given."""

    name: str
    source: Source
    events_per_request: int = 1
    cpu: CpuLog | None = None


def in_turn(
    contenders: Sequence[Contender], rounds: int, measure: Callable[[Contender], Result]
) -> dict[str, list[Result]]:
    """Measure all in each round, by name; who comes first changes from round to round."""
    results: dict[str, list[Result]] = {each.name: [] for each in contenders}
    for number in range(rounds):
        first = number % len(contenders)
        for contender in (*contenders[first:], *contenders[:first]):
            results[contender.name].append(measure(contender))
    return results


def start_afresh(stand: Stand, contender: Contender) -> None:
    """Empty Redis, and make the API key known in it again, which it always is where there are clients."""
    stand.empty_redis()
    send_one(contender.source)


def events_per_second(
    stand: Stand,
    contenders: Sequence[Contender],
    *,
    seconds: int,
    rounds: int,
    after: Callable[[Contender], None] = lambda _: None,
) -> dict[str, list[float]]:
    """How many events a second each takes, round by round; every run begins with an empty Redis.

    `after` is called after each run, while Redis still holds what the run left there.
    """

    def measure(contender: Contender) -> float:
        start_afresh(stand, contender)
        if contender.cpu:
            contender.cpu.begin()
        load = run_load(stand.guard, contender.source, seconds)
        if contender.cpu:
            contender.cpu.end(load.requests * contender.events_per_request)
        after(contender)
        return load.requests_per_second * contender.events_per_request

    for contender in contenders:
        run_load(stand.guard, contender.source, WARM_UP_SECONDS)
    return in_turn(contenders, rounds, measure)


def loads_at_rate(
    stand: Stand, contenders: Sequence[Contender], rate: float, *, seconds: int, rounds: int
) -> dict[str, list[Load]]:
    """How each answers at the same rate, in requests a second."""
    think_ms = {each.name: think_ms_for(rate) for each in contenders}

    def measure(contender: Contender, seconds: int) -> Load:
        start_afresh(stand, contender)
        load = run_load(stand.guard, contender.source, seconds, think_ms=think_ms[contender.name])
        # A connection also waits for its answers: what was really sent tells how long.
        correction = PACED_CONNECTIONS * 1_000 * (1 / rate - 1 / load.requests_per_second)
        think_ms[contender.name] = max(0.1, think_ms[contender.name] + correction)
        return load

    for contender in contenders:
        measure(contender, WARM_UP_SECONDS)
    return in_turn(contenders, rounds, lambda contender: measure(contender, seconds))

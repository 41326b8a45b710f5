"""Thirty days of usage without thirty days of events: rollups as the worker would have made them.

Storing ten million events through the worker takes minutes, and the read API reads rollups only. So the events are
drawn and counted by version and hour with numpy; days, prompts and the project are merged from these by the code that
the worker uses, and written by it too. Minutes, which no question over 30 days reads, and raw events are left out.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from app.core.database import Connection
from app.core.queries.dimensions import Version, insert_prompts, insert_versions, prompt_of, select_versions
from app.core.queries.rollups import create_incoming_rollups, merge_rollups
from app.core.rollups.grains import GRAIN_SECONDS, floor_to
from app.core.rollups.latency_histogram import LOG_GROWTH
from app.core.rollups.rollup import WHOLE, Rollup, RollupKey, Sums, merged
from bench.events import LATENCY_MU, LATENCY_SIGMA, PROMPTS, VERSIONS_PER_PROMPT, prompt_id, version_hash

DAYS = 30
HOUR, DAY = GRAIN_SECONDS["hour"], GRAIN_SECONDS["day"]
ANALYZE = "ANALYZE rollups"

Integers = NDArray[np.int64]
ByHour = dict[int, Rollup]
"""By the beginning of the hour, in seconds since the epoch."""


class Drawn(NamedTuple):
    """Events in the order of their hours, which are in seconds since the epoch; all numbers are integers."""

    hours: Integers
    latency_tenths: Integers
    cost_millionths: Integers
    score_hundredths: Integers


def history_start(now: datetime) -> datetime:
    """When the history ends with the hour of `now`."""
    return floor_to("hour", now) - timedelta(days=DAYS) + timedelta(hours=1)


def store_history(connection: Connection, project_id: int, events: int, now: datetime) -> int:
    """Store the rollups of about so many events; returns of how many. The project must not have any yet."""
    generator = np.random.default_rng(events)
    first_hour = int(history_start(now).timestamp())
    of_project: list[ByHour] = []
    create_incoming_rollups(connection)
    for prompt in range(PROMPTS):
        versions = [
            Version(project_id, prompt_id(prompt), version_hash(prompt, each)) for each in range(VERSIONS_PER_PROMPT)
        ]
        insert_prompts(connection, {prompt_of(versions[0])})
        insert_versions(connection, versions)
        keys = select_versions(connection, versions).versions
        of_prompt = []
        rows: list[tuple[RollupKey, Rollup]] = []
        for version in keys.values():
            drawn = draw(generator, events // (PROMPTS * VERSIONS_PER_PROMPT), first_hour)
            of_prompt.append(roll_up_by_hour(drawn))
            rows += _rows(project_id, version.prompt_key, version.version_key, of_prompt[-1])
        of_project.append(_merged_by_hour(of_prompt))
        rows += _rows(project_id, next(iter(keys.values())).prompt_key, WHOLE, of_project[-1])
        _write(connection, rows)
    whole = _merged_by_hour(of_project)
    _write(connection, list(_rows(project_id, WHOLE, WHOLE, whole)))
    connection.execute(ANALYZE)
    return sum(rollup.events for rollup in whole.values())


def draw(generator: np.random.Generator, count: int, first_hour: int) -> Drawn:
    """Events of one version, spread evenly over the history."""
    return Drawn(
        first_hour + HOUR * np.sort(generator.integers(0, DAYS * 24, count)),
        np.rint(10 * generator.lognormal(LATENCY_MU, LATENCY_SIGMA, count)).astype(np.int64),
        generator.integers(100, 20_000, count),
        generator.integers(0, 101, count),
    )


def roll_up_by_hour(drawn: Drawn) -> ByHour:
    """What `Rollup.of` would have counted in each hour."""
    hours, starts, counts = np.unique(drawn.hours, return_index=True, return_counts=True)
    logarithms = np.log(np.maximum(drawn.latency_tenths / 10, 0.001))
    log_sums = np.add.reduceat(logarithms, starts)
    log_sums_squares = np.add.reduceat(logarithms * logarithms, starts)
    buckets = np.ceil(np.log(drawn.latency_tenths / 10) / LOG_GROWTH).astype(np.int64)
    latency = _sums(drawn.latency_tenths, starts, counts, places=1)
    cost = _sums(drawn.cost_millionths, starts, counts, places=6)
    score = _sums(drawn.score_hundredths, starts, counts, places=2)
    return {
        hour: Rollup(
            events=counts[number],
            latency=latency[number],
            latency_log_sum=log_sums[number],
            latency_log_sum_squares=log_sums_squares[number],
            latency_buckets=_histogram(buckets[start : start + counts[number]].tolist()),
            cost=cost[number],
            score=score[number],
        )
        for number, (hour, start) in enumerate(zip(hours.tolist(), starts.tolist(), strict=True))
    }


def _sums(values: Integers, starts: NDArray[Any], counts: NDArray[Any], *, places: int) -> list[Sums]:
    """Exact: integers here, and the decimal point is set afterwards."""
    columns = (
        counts,
        np.add.reduceat(values, starts),
        np.add.reduceat(values * values, starts),
        np.minimum.reduceat(values, starts),
        np.maximum.reduceat(values, starts),
    )
    return [
        Sums(
            count,
            Decimal(total).scaleb(-places),
            Decimal(squares).scaleb(-2 * places),
            Decimal(least).scaleb(-places),
            Decimal(most).scaleb(-places),
        )
        for count, total, squares, least, most in zip(*(column.tolist() for column in columns), strict=True)
    ]


def _histogram(buckets: Sequence[int]) -> dict[int, int]:
    counts: dict[int, int] = {}
    for bucket in buckets:
        counts[bucket] = counts.get(bucket, 0) + 1
    return counts


def _merged_by_hour(parts: Sequence[ByHour]) -> ByHour:
    hours = sorted(set().union(*parts))
    return {hour: merged(part[hour] for part in parts if hour in part) for hour in hours}


def _rows(project_id: int, prompt_key: int, version_key: int, by_hour: ByHour) -> Iterator[tuple[RollupKey, Rollup]]:
    by_day: dict[int, list[Rollup]] = {}
    for hour, rollup in by_hour.items():
        yield RollupKey(project_id, prompt_key, version_key, "hour", hour), rollup
        by_day.setdefault(hour // DAY * DAY, []).append(rollup)
    for day, rollups in by_day.items():
        yield RollupKey(project_id, prompt_key, version_key, "day", day), merged(rollups)


def _write(connection: Connection, rows: Sequence[tuple[RollupKey, Rollup]]) -> None:
    with connection.transaction():
        merge_rollups(connection, rows)

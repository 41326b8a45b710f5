"""Rollup rows from events: what some of them add by version and minute, and from that at every level and grain."""

import math
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Context, Decimal, Inexact, localcontext
from operator import itemgetter, mul
from typing import NamedTuple

from app.core.rollups.event_row import EventRow
from app.core.rollups.grains import GRAIN_SECONDS, Grain
from app.core.rollups.latency_histogram import DAMAGE, bucket_number, bucket_number_of_logarithm, encode_histogram

WHOLE = 0
"""The prompt_key of a whole project and the version_key of a whole prompt."""

SHORTEST_LOGGED_MS = 0.001
"""The logarithm of a latency is taken of at least a microsecond, so that a zero cannot spoil the sums."""

_ZERO = Decimal(0)
# Wide enough for the square of every number that the API takes; Inexact would raise rather than round.
_EXACT = Context(prec=2_000, traps=[Inexact])


@dataclass(slots=True)
class Sums:
    """Count, exact sums and extremes of one measure."""

    count: int = 0
    sum: Decimal = _ZERO
    sum_squares: Decimal = _ZERO
    min: Decimal | None = None
    max: Decimal | None = None

    @classmethod
    def of(cls, values: Sequence[Decimal]) -> "Sums":
        """Of some values. Must run in a decimal context that does not round."""
        if not values:
            return cls()
        return cls(len(values), sum(values, _ZERO), sum(map(mul, values, values), _ZERO), min(values), max(values))

    def merge(self, other: "Sums") -> None:
        """Add what another has counted."""
        if other.min is None or other.max is None:
            return
        self.count += other.count
        self.sum = _EXACT.add(self.sum, other.sum)
        self.sum_squares = _EXACT.add(self.sum_squares, other.sum_squares)
        self.min = other.min if self.min is None else min(self.min, other.min)
        self.max = other.max if self.max is None else max(self.max, other.max)


@dataclass(slots=True)
class Rollup:
    """What some events add to one rollup row."""

    events: int = 0
    latency: Sums = field(default_factory=Sums)
    latency_log_sum: float = 0.0
    latency_log_sum_squares: float = 0.0
    latency_buckets: dict[int, int] = field(default_factory=dict)
    cost: Sums = field(default_factory=Sums)
    score: Sums = field(default_factory=Sums)
    is_damaged: bool = False
    """Whether something was counted whose histogram nobody can read any more."""

    @classmethod
    def of(cls, events: Sequence[EventRow]) -> "Rollup":
        """Of some events. Must run in a decimal context that does not round."""
        latencies = [event.latency_ms for event in events if event.latency_ms is not None]
        latencies_ms = [float(latency) for latency in latencies]
        logarithms = [math.log(latency_ms) for latency_ms in latencies_ms if latency_ms >= SHORTEST_LOGGED_MS]
        buckets = Counter(map(bucket_number_of_logarithm, logarithms))
        for latency_ms in latencies_ms if len(logarithms) < len(latencies_ms) else ():
            if latency_ms < SHORTEST_LOGGED_MS:
                buckets[bucket_number(latency_ms)] += 1
                logarithms.append(math.log(SHORTEST_LOGGED_MS))
        return cls(
            len(events),
            Sums.of(latencies),
            sum(logarithms),
            sum(map(mul, logarithms, logarithms)),
            buckets,
            Sums.of([event.cost_usd for event in events if event.cost_usd is not None]),
            Sums.of([event.score for event in events if event.score is not None]),
        )

    def merge(self, other: "Rollup") -> None:
        """Add what another has counted."""
        self.events += other.events
        self.latency.merge(other.latency)
        self.latency_log_sum += other.latency_log_sum
        self.latency_log_sum_squares += other.latency_log_sum_squares
        for bucket, count in other.latency_buckets.items():
            self.latency_buckets[bucket] = self.latency_buckets.get(bucket, 0) + count
        self.cost.merge(other.cost)
        self.score.merge(other.score)
        self.is_damaged |= other.is_damaged

    @property
    def latency_histogram(self) -> bytes:
        """The latencies as a histogram (see app.core.rollups.latency_histogram); damaged stays damaged."""
        histogram = encode_histogram(self.latency_buckets)
        return histogram + DAMAGE if self.is_damaged else histogram


class RollupKey(NamedTuple):
    """The key of a rollup row; rows are written in this order, so that two workers cannot deadlock."""

    project_id: int
    prompt_key: int
    version_key: int
    grain: Grain
    bucket_start_seconds: int

    @property
    def bucket_start(self) -> datetime:
        """The beginning of the bucket, in UTC."""
        return datetime.fromtimestamp(self.bucket_start_seconds, UTC)


ByMinute = dict[RollupKey, Rollup]
"""Rollups of versions by the minute, from which those of every other level follow."""


def count_by_minute(events: Iterable[EventRow]) -> ByMinute:
    """What these events add to the rollups of their versions, minute by minute."""
    groups: dict[tuple[int, int, int, int], list[EventRow]] = {}
    for event in events:
        group = (event.project_id, event.prompt_key, event.version_key, event.occurred_at_ms // 60_000)
        groups.setdefault(group, []).append(event)
    with localcontext(_EXACT):
        return {
            RollupKey(project_id, prompt_key, version_key, "minute", minute * 60): Rollup.of(group)
            for (project_id, prompt_key, version_key, minute), group in groups.items()
        }


def at_every_level(by_minute: ByMinute) -> list[tuple[RollupKey, Rollup]]:
    """What these minutes of versions add to every rollup row, sorted by key.

    Every level is merged from the next finer one. Rows that count the same events share one Rollup.
    """
    versions = [by_minute, *_coarser_grains(by_minute)]
    prompts = _merge(by_minute, lambda key: key._replace(version_key=WHOLE))
    projects = _merge(prompts, lambda key: key._replace(prompt_key=WHOLE))
    levels = [*versions, prompts, *_coarser_grains(prompts), projects, *_coarser_grains(projects)]
    return sorted(((key, rollup) for level in levels for key, rollup in level.items()), key=itemgetter(0))


def _coarser_grains(by_minute: ByMinute) -> tuple[dict[RollupKey, Rollup], dict[RollupKey, Rollup]]:
    by_hour = _merge(by_minute, lambda key: _bucket(key, "hour"))
    return by_hour, _merge(by_hour, lambda key: _bucket(key, "day"))


def _bucket(key: RollupKey, grain: Grain) -> RollupKey:
    seconds = GRAIN_SECONDS[grain]
    return key._replace(grain=grain, bucket_start_seconds=key.bucket_start_seconds // seconds * seconds)


def _merge(finer: dict[RollupKey, Rollup], coarser_key: Callable[[RollupKey], RollupKey]) -> dict[RollupKey, Rollup]:
    """Rows of a coarser level. A row with a single source shares its Rollup, which nobody changes any more."""
    sources: dict[RollupKey, list[Rollup]] = {}
    for key, rollup in finer.items():
        sources.setdefault(coarser_key(key), []).append(rollup)
    return {key: rollups[0] if len(rollups) == 1 else merged(rollups) for key, rollups in sources.items()}


def merged(rollups: Iterable[Rollup]) -> Rollup:
    """One rollup that counts what all of them count."""
    total = Rollup()
    for rollup in rollups:
        total.merge(rollup)
    return total

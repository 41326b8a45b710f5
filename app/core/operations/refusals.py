"""How many requests were refused, by project and error code: counted in memory, written to Redis a second later."""

import time
from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import NamedTuple

import redis

from app.core.operations.tallies import REFUSALS, Tally, five_minutes_of, read_counts

NO_PROJECT = 0
"""Of requests that were refused before their key was known (projects start at 1)."""


class RefusalCount(NamedTuple):
    """Refusals with one code, in about the last hour (60 to 65 minutes) and the last day."""

    code: str
    last_hour: int
    last_day: int


class Refusals:
    """One in each process."""

    def __init__(
        self, client: redis.Redis, *, clock: Callable[[], float] = time.time, delay_seconds: float = 1.0
    ) -> None:
        """As `Tally`."""
        self._tally = Tally(client, REFUSALS, clock=clock, delay_seconds=delay_seconds)

    def note(self, project_id: int | None, code: str) -> None:
        """A request was refused; without a project where its key was not known. Never waits and never raises."""
        self._tally.note(f"{project_id or NO_PROJECT}:{code}")


def count_refusals(client: redis.Redis, now: datetime, *, project_id: int | None) -> list[RefusalCount]:
    """The refusals of a project, or with None all of the service, the most frequent of the day first.

    Raises RedisUnavailable.
    """
    hour_began = five_minutes_of((now - timedelta(hours=1)).timestamp())
    last_hour: Counter[str] = Counter()
    last_day: Counter[str] = Counter()
    for (bucket, name), count in read_counts(client, REFUSALS, now).items():
        project, _, code = name.partition(":")
        if project_id is None or project == str(project_id):
            last_day[code] += count
            last_hour[code] += count if bucket >= hour_began else 0
    return [RefusalCount(code, last_hour[code], count) for code, count in last_day.most_common()]

"""What the current month will have cost at its end, as far as that can be told.

What is left of the month is expected to cost what the same hours of the same weekdays cost on average in the last 28
complete days. The range around it holds the end in nine of ten cases as long as things go on as they were: it comes
from how those days scatter around their weekday, and from how many of them are behind and ahead
(`app.core.analytics.day_scatter`; Student's t as in `app.core.analytics.confidence`).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from statistics import NormalDist

from app.core.analytics.arrays import Floats, np
from app.core.analytics.day_scatter import FEWEST_DEGREES, grown, reach, rest_of, scatter
from app.core.database import Connection
from app.core.queries.spend import SpentHour, select_spent, select_spent_by_hour
from app.core.rollups.grains import GRAIN_SECONDS, floor_to

PAST = timedelta(days=28)
INSIDE = 0.9
"""The probability that the month ends within the range."""
FEWEST_DAYS = 14
"""With costs, of those 28: fewer make no forecast."""
_WEEK_HOURS = 7 * 24
_DAY_HOURS = 24


@dataclass(frozen=True, slots=True)
class Forecast:
    """US dollars at the end of the month: as expected, and the ends of the range."""

    usd: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Spend:
    """US dollars since `month_start`, exact. `forecast` is None where there is too little past to tell."""

    month_start: datetime
    spent_usd: Decimal
    forecast: Forecast | None
    budget_usd: Decimal | None


def read_spend(connection: Connection, project_id: int, *, now: datetime, budget_usd: Decimal | None) -> Spend | None:
    """The month of `now`, in UTC. None where nothing was spent in it nor in the days before."""
    today = floor_to("day", now)
    month_start = today.replace(day=1)
    month_end = (month_start + timedelta(days=31)).replace(day=1)
    spent = select_spent(connection, project_id, month_start, month_end)
    hours = select_spent_by_hour(connection, project_id, today - PAST, today)
    past = hours_in_order(hours, today - PAST)
    if not spent and not past.any():
        return None
    return Spend(month_start, spent, forecast(float(spent), past, now=now, month_end=month_end), budget_usd)


def hours_in_order(hours: Sequence[SpentHour], start: datetime) -> Floats:
    """US dollars of every hour of PAST."""
    first = int(start.timestamp())
    spent = np.zeros(PAST // timedelta(hours=1))
    for hour in hours:
        spent[(hour.start_seconds - first) // GRAIN_SECONDS["hour"]] = hour.usd
    return spent


def forecast(spent: float, past: Floats, *, now: datetime, month_end: datetime) -> Forecast | None:
    """`past`: by hour, until the last midnight before `now`."""
    days = past.reshape(-1, _DAY_HOURS).sum(axis=1)
    if np.count_nonzero(days) < FEWEST_DAYS:
        return None
    # where the project is younger than the days, they begin with it
    began = int(np.flatnonzero(days)[0])
    weeks = len(days) // 7
    counted = (np.arange(len(days)) >= began).astype(np.float64).reshape(weeks, 7)
    by_weekday = np.maximum(counted.sum(axis=0), 1)
    expected = past.reshape(weeks, _WEEK_HOURS).sum(axis=0) / np.repeat(by_weekday, _DAY_HOURS)
    rest = _still_to_come(expected, now, month_end)
    days_left = (month_end - now) / timedelta(days=1)
    per_day = days.reshape(weeks, 7)
    usual = expected.reshape(7, _DAY_HOURS).sum(axis=1)
    level = usual.mean()
    found = scatter(
        (rest_of(per_day, usual) * counted).reshape(1, -1) / level,
        counted.reshape(1, -1),
        (counted / by_weekday).reshape(1, -1),
    )
    ahead, behind = (
        float(grown(found.correlation, days)[0]) / days for days in (max(days_left, 1e-9), float(counted.sum()))
    )
    error = rest * math.sqrt(float(found.variance[0]) * (ahead + behind))
    degrees = np.maximum(found.degrees, FEWEST_DEGREES)
    off = error * float(reach(NormalDist().inv_cdf((1 + INSIDE) / 2), degrees)[0])
    return Forecast(spent + rest, spent + max(0.0, rest - off), spent + rest + off)


def _still_to_come(expected: Floats, now: datetime, end: datetime) -> float:
    """Of `expected`, by hour of a week that begins on today's weekday: what lies between now and the end."""
    today = floor_to("day", now)
    first, last = (now - today) / timedelta(hours=1), round((end - today) / timedelta(hours=1))
    hours = np.arange(int(first), last)
    parts = np.minimum(hours + 1 - first, 1)
    return float(parts @ expected[hours % _WEEK_HOURS])

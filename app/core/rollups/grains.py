"""The grains of rollups: minutes, hours and UTC days."""

from datetime import UTC, datetime, timedelta
from typing import Literal

Grain = Literal["minute", "hour", "day"]

GRAIN_SECONDS: dict[Grain, int] = {"minute": 60, "hour": 3_600, "day": 86_400}
FROM_COARSE_TO_FINE: tuple[Grain, ...] = ("day", "hour", "minute")


def floor_to(grain: Grain, time: datetime) -> datetime:
    """The beginning of the minute, hour or UTC day in which the time lies."""
    seconds = GRAIN_SECONDS[grain]
    return datetime.fromtimestamp(time.timestamp() // seconds * seconds, UTC)


def ceil_to(grain: Grain, time: datetime) -> datetime:
    """The first beginning of a minute, hour or UTC day that is not before the time."""
    floor = floor_to(grain, time)
    return floor if floor == time else floor + timedelta(seconds=GRAIN_SECONDS[grain])

"""In which time two versions are compared. Every `connection` is one of a snapshot.

It is fixed by the versions, not by the range that somebody looks at, since choosing a range is another look: the time
since the newer one's first event, at most LONGEST_COMPARISON.
"""

import math
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Protocol

from app.core.analytics.arrays import np
from app.core.analytics.decision import FEWEST_EVENTS
from app.core.analytics.evidence import DAY_SECONDS, HOUR_SECONDS, WEEK_SECONDS, Arm, Evidence, arm, common_seconds
from app.core.database import Connection
from app.core.queries.overviews import VersionSeen
from app.core.queries.version_cells import select_version_cells
from app.core.rollups.grains import Grain, floor_to
from app.core.rollups.time_range import MINUTES_KEPT

LONGEST_COMPARISON = timedelta(days=90)
FEWEST_COMMON_HOURS = 6
"""So many common hours are enough, whatever share of the newer version's events they hold."""
HOURS_THAT_SHOW_SCATTER = 100
"""Of shorter comparisons the minutes are read, too."""

_HOUR = timedelta(hours=1)


def first_seen_order(version: VersionSeen) -> tuple[datetime, int]:
    """Newer versions compare as greater; of two that began in the same minute, the one registered later."""
    return version.first_seen, version.version_key


class ReadArms(Protocol):
    """Reads a time of the versions with some keys, in this order."""

    def __call__(self, keys: Sequence[int], *, grain: Grain, start: datetime, end: datetime) -> list[Arm]: ...


def reading_arms(connection: Connection, project_id: int, prompt_key: int) -> ReadArms:
    return partial(_arms, connection, project_id, prompt_key)


def keeping_hours(read: ReadArms, key: int) -> ReadArms:
    """The same, but hours of one version are read once, as far as they lie between those that were read last."""
    kept: tuple[datetime, datetime, Arm] | None = None

    def hours(start: datetime, end: datetime) -> Arm:
        nonlocal kept
        if kept is None or start < kept[0] or end > kept[1]:
            start, end = (min(start, kept[0]), max(end, kept[1])) if kept else (start, end)
            kept = start, end, read([key], grain="hour", start=start, end=end)[0]
        return kept[2]

    def read_or_cut(keys: Sequence[int], *, grain: Grain, start: datetime, end: datetime) -> list[Arm]:
        if grain != "hour" or key not in keys:
            return read(keys, grain=grain, start=start, end=end)
        own = hours(start, end).between(int(start.timestamp()), math.ceil(end.timestamp()))
        others = [each for each in keys if each != key]
        arms = iter(read(others, grain=grain, start=start, end=end) if others else [])
        return [own if each == key else next(arms) for each in keys]

    return read_or_cut


def read_evidence(read: ReadArms, versions: tuple[VersionSeen, VersionSeen], now: datetime) -> Evidence:
    """Side by side where that is enough, else before and after."""
    keys = [version.version_key for version in versions]
    newer = versions.index(max(versions, key=first_seen_order))
    start = floor_to("hour", versions[newer].first_seen)
    end = min(now + _HOUR, start + LONGEST_COMPARISON)
    old, new = arms = read(keys, grain="hour", start=start, end=end)
    if not _is_side_by_side(old, new, arms[newer]):
        apart = _before_after(partial(read, [keys[1 - newer]], grain="hour"), arms[newer], start, is_swapped=newer == 0)
        if apart:
            return apart
    fine = None
    few_hours = len(common_seconds(old, new)) < HOURS_THAT_SHOW_SCATTER
    if few_hours and start >= now - MINUTES_KEPT + _HOUR:
        fine_old, fine_new = read(keys, grain="minute", start=start, end=end)
        fine = fine_old, fine_new
    beginning = int(start.timestamp())
    return Evidence("side_by_side", (old, new), (beginning, beginning), fine)


def _arms(
    connection: Connection,
    project_id: int,
    prompt_key: int,
    keys: Sequence[int],
    *,
    grain: Grain,
    start: datetime,
    end: datetime,
) -> list[Arm]:
    """Of the versions with these keys, in this order."""
    cells = select_version_cells(connection, project_id, prompt_key, keys, grain=grain, start=start, end=end)
    by_key = {each.version_key: each for each in cells}
    return [arm(by_key.get(key)) for key in keys]


def _is_side_by_side(old: Arm, new: Arm, newer: Arm) -> bool:
    """Whether the common hours tell enough: they hold half of the newer version's events, or are many."""
    common = common_seconds(old, new)
    events = [float(each.events[np.isin(each.seconds, common, assume_unique=True)].sum()) for each in (old, new, newer)]
    if len(common) >= FEWEST_COMMON_HOURS and min(events) >= FEWEST_EVENTS:
        return True
    return 2 * events[-1] >= float(newer.events.sum())


def _before_after(
    read_older: Callable[..., list[Arm]], newer: Arm, start: datetime, *, is_swapped: bool
) -> Evidence | None:
    """The newer version after the hour of the change, the older one for as long before it, in whole days or weeks.

    `is_swapped`: the newer version is the baseline. None where one of them has no events then.
    """
    beginning = int(start.timestamp())
    after = newer.between(beginning + HOUR_SECONDS, 2**60)
    length = int(after.seconds.max(initial=beginning)) - beginning
    period = WEEK_SECONDS if length > WEEK_SECONDS else DAY_SECONDS
    span = period * max(1, -(-length // period))
    (before,) = read_older(start=start - timedelta(seconds=span), end=start)
    if not len(before.seconds) or not len(after.seconds):
        return None
    phases = beginning - span, beginning + HOUR_SECONDS
    if is_swapped:
        return Evidence("before_after", (after, before), phases[::-1])
    return Evidence("before_after", (before, after), phases)

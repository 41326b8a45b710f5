"""How a range differs from its past: all of it, and each prompt. Every `connection` is one of a snapshot."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from app.core.analytics.comparison import ProjectMargins
from app.core.analytics.past import Past, same_hours, whole_hours
from app.core.analytics.prompt_changes import Changes, changes_of
from app.core.analytics.prompt_days import PromptDays, read_prompt_days
from app.core.analytics.remembered import Remembered
from app.core.database import Connection
from app.core.queries.busiest import select_busiest_prompts
from app.core.queries.prompt_days import (
    PromptWindow,
    select_beginning,
    select_expected_totals,
    select_prompt_windows,
)
from app.core.rollups.grains import floor_to
from app.core.rollups.rollup import WHOLE
from app.core.rollups.time_range import Part, TimeRange, fewest_parts

USUAL_WEEKS = 4
USUAL = timedelta(weeks=USUAL_WEEKS)
"""What is before the range shows how days scatter."""
MOST_PROMPTS = 300
"""So many prompts, those with the most events, are compared with their past."""
MOST_REMEMBERED = 16
"""Ranges in each process; what is before them changes once an hour, and pages look every five seconds."""


@dataclass(frozen=True, slots=True)
class RangeChanges:
    """What has changed for the same `mix` of prompts, and `by_prompt`, by its key.

    Measures that either side lacks are left out; cost is that of an event. `events` and `cost_usd`: what the past had
    all in all, on average.
    """

    past: Past
    events: float
    cost_usd: float
    mix: Changes
    by_prompt: Mapping[int, Changes]


class _Before(NamedTuple):
    """What a range is compared with."""

    windows: list[PromptWindow]
    days: PromptDays


_before: Remembered[_Before] = Remembered(MOST_REMEMBERED)


def read_range_changes(
    connection: Connection,
    project_id: int,
    prompt_key: int,
    time_range: TimeRange,
    counted: TimeRange,
    *,
    margins: ProjectMargins,
    now: datetime,
) -> RangeChanges | None:
    """Of a prompt, or of a project where the key is WHOLE; None where there is no past.

    `counted` is the range as `counted_range` gives it.
    """
    beginning = select_beginning(connection, project_id, prompt_key)
    past = same_hours(time_range, now=now, first_event=beginning.first_hour) if beginning else None
    if beginning is None or past is None:
        return None
    spans = [(window.start, window.end) for window in past.windows]
    expected = select_expected_totals(connection, project_id, prompt_key, spans)
    seen = fewest_parts(TimeRange(whole_hours(past.seen).start, counted.end, "hour"))
    keys: Sequence[int] | None = [prompt_key]
    if prompt_key == WHOLE:
        keys = select_busiest_prompts(connection, project_id, seen, MOST_PROMPTS, None)[:MOST_PROMPTS] or None
    parts = [part for window in past.windows for part in fewest_parts(whole_hours(window))]
    end = floor_to("day", time_range.start)
    # totals change whenever an event comes late
    totals = select_expected_totals(connection, project_id, prompt_key, [(end - USUAL, end), *_edges(parts)])
    before = _before.get(
        (beginning.made_at, project_id, prompt_key, tuple(parts), end, totals, keys and tuple(keys)),
        lambda: _Before(
            select_prompt_windows(connection, project_id, parts, keys),
            read_prompt_days(connection, project_id, end, weeks=USUAL_WEEKS, only=keys),
        ),
    )
    now_seen = select_prompt_windows(connection, project_id, seen, keys)
    mix, by_prompt = changes_of(before.windows, now_seen, before.days, past, margins)
    times = len(past.windows)
    return RangeChanges(past, expected.events / times, expected.cost_usd / times, mix, by_prompt)


def _edges(parts: Sequence[Part]) -> list[tuple[datetime, datetime]]:
    return [(part.start, part.end) for part in parts]

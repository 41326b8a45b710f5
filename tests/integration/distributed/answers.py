"""Whatever the service asks of its tables, once: so that what a distributed database answers can be held against it."""

import math
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import numpy as np

from app.core.analytics.project_overview import read_project_overview, read_prompts
from app.core.analytics.prompt_overview import read_prompt_overview
from app.core.analytics.usage import project_usage, prompt_usage
from app.core.analytics.version_table import read_version_table
from app.core.database import Connection
from app.core.queries.budgets import select_budgets
from app.core.queries.ledger_report import select_damaged_rollups, select_ledger, select_miscounted_hours
from app.core.queries.looks import select_comparable_prompts, select_gaps, select_silent_projects
from app.core.queries.overflows import count_events_under_other, select_overflows
from app.core.queries.overviews import select_prompts_last_seen
from app.core.queries.raw_events import EventsOf, iterate_events_of_day, select_days_with_events, select_single_events
from app.core.queries.spend import select_spent, select_spent_by_hour, select_spent_by_prompt
from app.core.queries.status import select_events_stored
from app.core.rollups.grains import floor_to
from app.core.rollups.time_range import TimeRange, answerable_range
from tests.drains import PROMPTS

Answers = dict[str, Any]


def are_alike(one: object, other: object) -> bool:
    """Equal, but for the last digits of floats: in which order nodes add them up is theirs to choose."""
    if isinstance(one, float) and isinstance(other, float):
        return math.isclose(one, other, rel_tol=1e-9, abs_tol=1e-12)
    if isinstance(one, np.ndarray) and isinstance(other, np.ndarray):
        return one.shape == other.shape and bool(np.allclose(one, other, rtol=1e-9, equal_nan=True))
    if is_dataclass(one):
        names = [field.name for field in fields(one)]
        return type(one) is type(other) and all(are_alike(getattr(one, name), getattr(other, name)) for name in names)
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return one.keys() == other.keys() and all(are_alike(one[key], other[key]) for key in one)
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        return len(one) == len(other) and all(map(are_alike, one, other))
    return one == other


def all_answers(connection: Connection, project_id: int, now: datetime) -> Answers:
    """By the name of the question. Rows without an order are sorted."""
    day, month = floor_to("day", now), now.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    hours = answerable_range(now - timedelta(hours=30), now, now)
    days = answerable_range(now - timedelta(days=30), now, now)
    found = {
        "budgets": select_budgets(connection, month, month + timedelta(days=32)),
        "silence": select_silent_projects(connection, now + timedelta(hours=2)),
        "comparable prompts": select_comparable_prompts(connection, now),
        "ledger": select_ledger(connection, since=now - timedelta(days=2)),
        "miscounted": select_miscounted_hours(connection, since=now - timedelta(days=2)),
        "damaged": select_damaged_rollups(connection, since=now - timedelta(days=2)),
        "under other": count_events_under_other(connection),
        "overflows": select_overflows(connection, day.date(), project_id=None, limit=10),
        "stored": [select_events_stored(connection), select_events_stored(connection, project_id=project_id)],
        "spent": select_spent(connection, project_id, month, month + timedelta(days=32)),
        "spent by hour": sorted(select_spent_by_hour(connection, project_id, day, now), key=repr),
        "spent by prompt": sorted(select_spent_by_prompt(connection, project_id, month), key=repr),
        "last seen": select_prompts_last_seen(connection, project_id, list(range(1, 6))),
        **_raw(connection, EventsOf(project_id, 1), now),
    }
    for silent in found["silence"]:
        found["gaps"] = select_gaps(connection, silent, now)
    for name, time_range in (("hours", hours), ("days", days)):
        found[f"usage, {name}"] = project_usage(connection, project_id, time_range, "hour")
        found[f"overview, {name}"] = read_project_overview(
            connection, project_id, time_range, interval="hour", now=now, search=""
        )
        found[f"prompts, {name}"] = read_prompts(connection, project_id, time_range, now=now, search="0000")
        for prompt in PROMPTS[:2]:
            found |= _prompt(connection, project_id, prompt, time_range, now)
    return found


def _raw(connection: Connection, whose: EventsOf, now: datetime) -> Answers:
    day = now.astimezone(UTC).date()
    bounds = {"start": now - timedelta(days=3), "end": now}
    return {
        "days with events": select_days_with_events(connection, whose, **bounds),
        "download": list(iterate_events_of_day(connection, whose, day, **bounds)),
        "slowest": select_single_events(connection, whose, day, **bounds, order="slowest", limit=5),
    }


def _prompt(connection: Connection, project_id: int, prompt: UUID, time_range: TimeRange, now: datetime) -> Answers:
    read: Callable[..., Any] = read_prompt_overview
    return {
        f"usage of {prompt}, {time_range}": prompt_usage(connection, project_id, prompt, time_range, "hour"),
        f"overview of {prompt}, {time_range}": read(
            connection, project_id, prompt, time_range, interval="hour", now=now
        ),
        f"versions of {prompt}": read_version_table(connection, project_id, prompt, None, max_choices=10, now=now),
    }

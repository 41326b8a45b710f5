"""A project in a range of time: what the dashboard shows, with the totals of `app.core.analytics.usage`.

Every `connection` is one of a snapshot.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from uuid import UUID

from app.core.analytics.margins import read_project_margins
from app.core.analytics.period import Period, read_period, whole_buckets
from app.core.analytics.project_changes import ProjectChanges, read_project_changes
from app.core.analytics.prompt_changes import Changes
from app.core.analytics.range_changes import RangeChanges, read_range_changes
from app.core.analytics.usage import Listed, Usage, busiest_prompts, counted_range, merged_usage
from app.core.contract import OTHER_PROMPT
from app.core.database import Connection
from app.core.queries.changed_prompts import VersionBegan, select_versions_that_began
from app.core.queries.overviews import select_ever_used, select_matching_prompts, select_prompts_last_seen
from app.core.queries.usage import PromptUsageRow, select_totals
from app.core.rollups.grains import Grain
from app.core.rollups.rollup import WHOLE
from app.core.rollups.time_range import TimeRange, bucket_starts, default_interval, fewest_parts

MAX_BEGAN = 20
"""More than a chart has room for."""


@dataclass(frozen=True, slots=True)
class PromptSummary:
    """A prompt in a range. `activity`: events by bucket, for a sparkline. `last_seen` is that of all times.

    `cost_share`: its part of what the project has cost in the range; None where that is nothing. `changes`: against the
    same hours before, without those measures that cannot be compared.
    """

    prompt_id: UUID
    name: str | None
    usage: Usage
    cost_share: float | None
    activity: list[int]
    last_seen: datetime | None
    changes: Changes


@dataclass(frozen=True, slots=True)
class ProjectOverview:
    """`ever_used`: whether the project has had an event at any time; `changes` do not depend on the range.

    `began`: the latest versions, at most MAX_BEGAN, with their first event in the range. `activity_whole`: which
    buckets of the prompts' activity are whole, and `activity_by` how long they are.
    """

    period: Period
    listed: Listed[PromptSummary]
    ever_used: bool
    changes: ProjectChanges
    began: list[VersionBegan]
    activity_by: Grain
    activity_whole: list[bool]


def read_project_overview(
    connection: Connection,
    project_id: int,
    time_range: TimeRange,
    *,
    interval: Grain,
    now: datetime,
    search: str,
) -> ProjectOverview:
    """A project in a range. Its prompts are those with `search` in their id or name; the empty text is in all."""
    counted = counted_range(connection, project_id, time_range)
    margins = read_project_margins(connection, project_id)
    period = read_period(
        connection, project_id, WHOLE, time_range, counted, interval=interval, margins=margins, now=now
    )
    cost = period.totals.cost_usd.sum
    listed = _read_prompts(
        connection, project_id, time_range, counted, search=search, changes=period.changes, cost=cost
    )
    ever_used = period.totals.events > 0 or select_ever_used(connection, project_id)
    changes = read_project_changes(connection, project_id, margins=margins, now=now)
    began = select_versions_that_began(connection, project_id, counted.start, counted.end, limit=MAX_BEGAN)
    step = default_interval(time_range)
    whole = whole_buckets(bucket_starts(time_range, step), time_range, step, now)
    return ProjectOverview(period, listed, ever_used, changes, began, step, whole)


def read_prompts(
    connection: Connection, project_id: int, time_range: TimeRange, *, now: datetime, search: str
) -> Listed[PromptSummary]:
    counted = counted_range(connection, project_id, time_range)
    margins = read_project_margins(connection, project_id)
    changes = read_range_changes(connection, project_id, WHOLE, time_range, counted, margins=margins, now=now)
    cost = select_totals(connection, project_id, WHOLE, fewest_parts(counted)).cost_sum
    return _read_prompts(connection, project_id, time_range, counted, search=search, changes=changes, cost=cost)


def _read_prompts(
    connection: Connection,
    project_id: int,
    time_range: TimeRange,
    counted: TimeRange,
    *,
    search: str,
    changes: RangeChanges | None,
    cost: Decimal | None,
) -> Listed[PromptSummary]:
    step = default_interval(time_range)
    matching = select_matching_prompts(connection, project_id, search) if search else None
    found = busiest_prompts(connection, project_id, counted, activity_by=step, only=matching)
    last_seen = select_prompts_last_seen(connection, project_id, [prompt.prompt_key for prompt in found.rows])
    starts = [int(start.timestamp()) for start in bucket_starts(time_range, step)]
    by_prompt = changes.by_prompt if changes else {}
    prompts = [
        PromptSummary(
            prompt.prompt_id,
            prompt.name,
            usage,
            float((usage.cost_usd.sum or 0) / cost) if cost else None,
            _activity(prompt, starts),
            last_seen.get(prompt.prompt_key),
            {} if prompt.prompt_id == OTHER_PROMPT else by_prompt.get(prompt.prompt_key, {}),
        )
        for prompt, usage in zip(found.rows, merged_usage(found.rows), strict=True)
    ]
    return Listed(prompts, found.truncated)


def _activity(prompt: PromptUsageRow, starts: Sequence[int]) -> list[int]:
    """Events by bucket; `starts` are the beginnings of all buckets, evenly apart."""
    step_seconds = starts[1] - starts[0] if len(starts) > 1 else timedelta(days=1) // timedelta(seconds=1)
    counts = [0] * len(starts)
    for start, events in zip(prompt.bucket_starts or (), prompt.bucket_events or (), strict=True):
        counts[(start - starts[0]) // step_seconds] += events
    return counts

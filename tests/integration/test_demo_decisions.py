"""The demo tells of every decision that a comparison can come to, in both ways of comparing, and makes news."""

from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import NamedTuple
from uuid import UUID

import pytest

from app.commands.demo import SPARE_SECONDS
from app.core.analytics.prompt_overview import read_prompt_overview
from app.core.database import Connection, connect
from app.core.rollups.time_range import answerable_range
from app.core.stream.events import Event, new_event_id
from app.demo.events import SLICE_SECONDS, History
from app.demo.story import PROMPTS
from tests.usage_recount import new_project, store_in_batches
from worker.news.looks import Looking, look_for_news
from worker.news.verdicts import find_verdicts
from worker.store import ReceivedEvent

# As `make demo` without options makes it.
EVENTS, DAYS, SEED = 60_000, 30, 1
EXPECTED = {
    "Support reply": ("side_by_side", "better"),
    "Ticket triage": ("side_by_side", "mixed"),
    "Search query rewrite": ("side_by_side", "no_difference"),
    "Invoice extraction": ("side_by_side", "worse"),
    "Catalogue tags": ("before_after", "better"),
}

NEWS = {
    "Support reply": "version_better",
    "Ticket triage": "version_worse",
    "Invoice extraction": "version_worse",
    "Catalogue tags": "version_better",
}


class Told(NamedTuple):
    """The story as it is stored."""

    database: Connection
    project_id: int
    now: datetime


def demo_events(project_id: int, now: datetime) -> list[ReceivedEvent]:
    end = now.timestamp() // SLICE_SECONDS * SLICE_SECONDS
    history = History(SEED, EVENTS / DAYS, DAYS, end)
    return [
        _received(project_id, event)
        for start in history.slices(now.timestamp(), spare_seconds=SPARE_SECONDS)
        for event in history.events(start)
    ]


def _received(project_id: int, event: dict[str, object]) -> ReceivedEvent:
    latency_ms, cost_usd, score = (
        None if event.get(name) is None else Decimal(str(event[name])) for name in ("latency_ms", "cost_usd", "score")
    )
    stored = Event(
        new_event_id(),
        project_id,
        UUID(str(event["prompt_id"])),
        str(event["version_hash"]),
        latency_ms,
        cost_usd,
        score,
    )
    return ReceivedEvent(stored, int(datetime.fromisoformat(str(event["timestamp"])).timestamp() * 1_000))


@pytest.fixture(scope="module")
def told(database_url: str) -> Iterator[Told]:
    with connect(database_url, application_name="test", statement_timeout_ms=20_000) as connection:
        project_id, now = new_project(connection), datetime.now(UTC)
        store_in_batches(connection, demo_events(project_id, now), batch_size=5_000)
        yield Told(connection, project_id, now)


@pytest.mark.timeout(600)
def test_the_newest_versions_of_its_prompts_show_each_decision_once(told: Told):
    found: dict[str, tuple[str, str]] = defaultdict(lambda: ("", ""))
    last_day = answerable_range(told.now - timedelta(days=1), told.now, told.now)
    for prompt in PROMPTS:
        overview = read_prompt_overview(
            told.database, told.project_id, prompt.prompt_id, last_day, interval="hour", now=told.now
        )
        if overview.comparison is not None:
            found[prompt.name] = overview.comparison.kind, overview.comparison.decision
    assert {name: found[name] for name in EXPECTED} == EXPECTED
    assert found["Meeting summary"][1] == "undecided"


@pytest.mark.timeout(600)
def test_a_look_of_the_worker_finds_the_news_in_it(told: Told):
    assert look_for_news(told.database, Looking(timedelta, find_verdicts), told.now, compared={})
    rows = told.database.execute(
        "SELECT subject, kind FROM news WHERE project_id = %s AND kind LIKE 'version%%'", [told.project_id]
    ).fetchall()
    names = {str(prompt.prompt_id): prompt.name for prompt in PROMPTS}
    news = {names[str(subject)]: kind for subject, kind in rows}
    assert {name: news[name] for name in NEWS} == NEWS
    assert "Search query rewrite" not in news

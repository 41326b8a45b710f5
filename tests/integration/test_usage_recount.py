"""For any set of events, folded or not, the read API's numbers equal a plain recount in Python."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import NamedTuple
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.core.analytics.usage import Usage, project_usage, prompt_usage
from app.core.database import Connection, ConnectionPool, connect, connection_from, open_pool
from app.core.errors import NotFound
from app.core.rollups.grains import Grain, floor_to
from app.core.rollups.time_range import TimeRange, answerable_range, bucket_starts, has_points_for
from app.core.stream.events import Event, new_event_id
from tests.usage_recount import assert_usage_equals, grouped, new_project, store_in_batches, time_of, within
from worker.fold import fold_project
from worker.store import ReceivedEvent

START = datetime(2026, 3, 7, tzinfo=UTC)
SPAN = timedelta(days=4)
NOW = START + SPAN
PROMPTS = [UUID(int=number) for number in range(3)]
VERSIONS = ["v1", "v2", "ü" * 256]
GRAINS: tuple[Grain, ...] = ("minute", "hour", "day")

START_MS = int(START.timestamp()) * 1_000
SPAN_MS = SPAN // timedelta(milliseconds=1)
EDGE_MS = 60_000, 3_600_000, 86_400_000


def any_decimal(largest_whole: int) -> st.SearchStrategy[Decimal]:
    """Any number of digits up to the 400 after the point that the API takes."""
    return st.builds(
        lambda whole, fraction, places: Decimal(f"{whole}.{fraction % 10**places:0{places}d}"),
        st.integers(0, largest_whole - 1),
        st.integers(0, 10**400),
        st.sampled_from([1, 3, 17, 400]),
    )


numbers = (
    any_decimal(10)
    | any_decimal(10**4)
    | any_decimal(10**12)
    | st.sampled_from([Decimal(text) for text in ("0", "1E-9", "9E-10", "1E-400", "1.02", "1.0404", "1E+12")])
)
scores = numbers | numbers.map(Decimal.copy_negate)
offsets_ms = st.integers(0, SPAN_MS - 1) | st.builds(
    lambda edge, number, shift: min(max(0, edge * number + shift), SPAN_MS - 1),
    st.sampled_from(EDGE_MS),
    st.integers(0, 100),
    st.integers(-1, 1),
)


class Question(NamedTuple):
    """What is asked of the read API."""

    time_range: TimeRange
    interval: Grain


@st.composite
def drawn_events(draw: st.DrawFn) -> list[ReceivedEvent]:
    """Events of the projects 0 and 1, which get their ids when they are stored."""
    fields = st.tuples(
        st.integers(0, 1),
        st.sampled_from(PROMPTS),
        st.sampled_from(VERSIONS),
        st.none() | numbers,
        st.none() | numbers,
        st.none() | scores,
        st.none() | offsets_ms.map(START_MS.__add__),
        offsets_ms.map(START_MS.__add__),
    )
    return [
        ReceivedEvent(Event(new_event_id(), *event), received_at_ms)
        for *event, received_at_ms in draw(st.lists(fields, max_size=40))
    ]


@st.composite
def drawn_questions(draw: st.DrawFn) -> Question:
    seconds = int(SPAN.total_seconds())
    first = draw(st.integers(0, seconds - 1))
    length = draw(st.integers(1, seconds) | st.sampled_from([1, 60, 3_600, 86_400, seconds]))
    start = START + timedelta(seconds=first)
    time_range = answerable_range(start, start + timedelta(seconds=length), NOW)
    interval = draw(st.sampled_from([grain for grain in GRAINS if has_points_for(time_range, grain)]))
    return Question(time_range, interval)


@pytest.fixture(scope="module")
def pool(database_url: str) -> Iterator[ConnectionPool]:
    with open_pool(database_url, application_name="test", size=2) as pool:
        yield pool


@pytest.fixture(scope="module")
def database(database_url: str) -> Iterator[Connection]:
    with connect(database_url, application_name="test", statement_timeout_ms=20_000) as connection:
        yield connection


def assert_series_equals(
    series: Sequence[tuple[datetime, Usage]], question: Question, events: Sequence[ReceivedEvent]
) -> None:
    assert [start for start, _ in series] == bucket_starts(*question)
    by_bucket = grouped(events, lambda event: floor_to(question.interval, time_of(event)))
    assert by_bucket.keys() <= dict(series).keys()
    for start, usage in series:
        assert_usage_equals(usage, by_bucket.get(start, []))


@settings(max_examples=100, deadline=None)
@given(drawn=drawn_events(), folded=st.integers(0, 40), question=drawn_questions())
def test_the_numbers_of_any_events_equal_a_recount(
    pool: ConnectionPool, database: Connection, *, drawn: list[ReceivedEvent], folded: int, question: Question
) -> None:
    time_range = question.time_range
    projects = [new_project(database), new_project(database)]
    stored = [
        received._replace(event=received.event._replace(project_id=projects[received.event.project_id]))
        for received in drawn
    ]
    store_in_batches(database, stored[:folded], batch_size=15)
    for project_id in projects:
        fold_project(database, project_id)
    store_in_batches(database, stored[folded:], batch_size=15)
    for project_id in projects:
        ever = [event for event in stored if event.event.project_id == project_id]
        assert_project_equals(pool, project_id, question, within(time_range, ever))
        known = {event.event.prompt_id for event in ever}
        for prompt_id in PROMPTS:
            if prompt_id in known:
                counted = [event for event in within(time_range, ever) if event.event.prompt_id == prompt_id]
                assert_prompt_equals(pool, project_id, prompt_id, question, counted)
            else:
                with pytest.raises(NotFound), connection_from(pool, snapshot=True) as connection:
                    prompt_usage(connection, project_id, prompt_id, *question)


def assert_project_equals(
    pool: ConnectionPool, project_id: int, question: Question, counted: Sequence[ReceivedEvent]
) -> None:
    with connection_from(pool, snapshot=True) as connection:
        found = project_usage(connection, project_id, *question)
    assert_usage_equals(found.totals, counted)
    assert_series_equals(found.series, question, counted)
    by_prompt = grouped(counted, lambda event: event.event.prompt_id)
    order = sorted(by_prompt, key=lambda prompt: (-len(by_prompt[prompt]), prompt))
    assert [prompt for prompt, _ in found.breakdown] == order
    for prompt, usage in found.breakdown:
        assert_usage_equals(usage, by_prompt[prompt])


def assert_prompt_equals(
    pool: ConnectionPool,
    project_id: int,
    prompt_id: UUID,
    question: Question,
    counted: Sequence[ReceivedEvent],
) -> None:
    with connection_from(pool, snapshot=True) as connection:
        found = prompt_usage(connection, project_id, prompt_id, *question)
    assert_usage_equals(found.totals, counted)
    assert_series_equals(found.series, question, counted)
    by_version = grouped(counted, lambda event: event.event.version_hash)
    order = sorted(by_version, key=lambda version: (-len(by_version[version]), version))
    assert [version for version, _ in found.breakdown] == order
    for version, usage in found.breakdown:
        assert_usage_equals(usage, by_version[version])

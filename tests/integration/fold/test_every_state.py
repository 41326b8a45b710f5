"""Whatever is stored, folded and recounted in whatever order: rollups and additions are all events in every state."""

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from app.core.database import Connection, connect
from app.core.queries.recount import recount_day, recount_hour
from app.core.rollups.grains import floor_to
from app.core.stream.events import Event, new_event_id
from tests.crashing_buffer import Crash
from tests.databases import empty_tables
from tests.drains import PROMPTS
from tests.folds import FOLD_CRASHES, fold_all, fold_and_crash
from tests.recount import assert_rollups_equal_a_recount
from tests.usage_recount import new_project
from worker.fold import fold_project
from worker.store import EventStore, ReceivedEvent

NOW = datetime.now(UTC)
numbers = st.none() | st.decimals(0, 10**12, allow_nan=False, places=9)
scores = st.decimals(-(10**12), 10**12, allow_nan=False, places=9)
ages = st.sampled_from([timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=5), timedelta(days=6, hours=23)])
drawn_events = st.tuples(
    st.sampled_from(PROMPTS[:2]),
    st.sampled_from(["v1", "v2"]),
    numbers,
    numbers,
    st.none() | scores,
    ages,
)


class EveryState(RuleBasedStateMachine):
    """Two workers, A and B, and an operator who recounts."""

    def __init__(self, database_url: str) -> None:
        super().__init__()
        empty_tables(database_url)
        self.url = database_url
        self.workers = {name: (self._connect(), EventStore()) for name in "AB"}
        self.projects = [new_project(self.workers["A"][0]) for _ in range(2)]
        self.events = 0

    def _connect(self) -> Connection:
        return connect(self.url, application_name="test", statement_timeout_ms=30_000)

    @rule(
        worker=st.sampled_from("AB"), project=st.integers(0, 1), drawn=st.lists(drawn_events, min_size=1, max_size=12)
    )
    def store(self, worker: str, project: int, drawn: list[tuple[object, ...]]) -> None:
        connection, store = self.workers[worker]
        batch = [
            ReceivedEvent(
                Event(new_event_id(), self.projects[project], *fields),  # type: ignore[arg-type]  # as drawn_events says
                int((NOW - age).timestamp() * 1_000),  # type: ignore[operator]
            )
            for *fields, age in drawn
        ]
        self.events += store.store(connection, batch).new

    @rule(worker=st.sampled_from("AB"), project=st.integers(0, 1), max_rows=st.sampled_from([1, 5, 1_000]))
    def fold(self, worker: str, project: int, max_rows: int) -> None:
        fold_project(self.workers[worker][0], self.projects[project], max_rows=max_rows)

    @rule(worker=st.sampled_from("AB"), crash=st.sampled_from(FOLD_CRASHES))
    def crash_in_a_fold(self, worker: str, crash: str) -> None:
        try:
            fold_and_crash(self.workers[worker][0], crash)
        except Crash:
            self.workers[worker][0].close()
            self.workers[worker] = self._connect(), EventStore()

    @rule()
    def fold_both_at_once(self) -> None:
        threads = [
            threading.Thread(target=partial(fold_all, connection, max_minutes=2))
            for connection, _ in self.workers.values()
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    @rule(project=st.integers(0, 1), age=ages)
    def recount(self, project: int, age: timedelta) -> None:
        with self._connect() as connection:
            assert not recount_hour(connection, self.projects[project], floor_to("hour", NOW - age), minutes=True)
            assert_rollups_equal_a_recount(connection)
            assert not recount_day(connection, self.projects[project], floor_to("day", NOW - age))

    @invariant()
    def rollups_and_additions_are_all_events(self) -> None:
        assert assert_rollups_equal_a_recount(self.workers["A"][0]) == self.events

    def teardown(self) -> None:
        fold_all(self.workers["A"][0])
        self.rollups_and_additions_are_all_events()
        for connection, _ in self.workers.values():
            connection.close()


@pytest.fixture
def clean_up(database_url: str) -> Iterator[None]:
    yield
    empty_tables(database_url)


@pytest.mark.timeout(300)
@pytest.mark.usefixtures("clean_up")
def test_totals_equal_a_recount_in_every_state(database_url: str):
    run_state_machine_as_test(
        partial(EveryState, database_url),  # type: ignore[arg-type]  # it calls what it gets
        settings=settings(
            max_examples=12,
            stateful_step_count=20,
            deadline=None,
            derandomize=True,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )

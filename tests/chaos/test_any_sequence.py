"""Whatever happens in whatever order, the law holds afterwards: Hypothesis draws the sequences."""

import time
from collections.abc import Sequence
from contextlib import nullcontext, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any
from unittest.mock import patch

import httpx
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule, run_state_machine_as_test

from app.core.acknowledgements import Acknowledgement
from app.core.contract import ANALYTICS_PATH, BATCH_PATH
from app.core.database import Connection, connect
from app.core.errors import RejectedByDatabase
from app.core.queries.dead_letters import select_dead_letter_ids
from app.core.queries.ledger import insert_acknowledgements
from app.core.redis_client import connect as connect_redis
from app.core.stream.buffer import EventBuffer
from app.core.stream.dead_letters import put_back, take_out
from app.core.stream.entries import Entry
from app.core.stream.numbering import Numbering
from app.core.stream.state import STREAM
from app.local.postgres import RunningPostgres
from app.local.redis_server import RunningRedis
from chaos.check import check
from chaos.crash_points import age_pending
from chaos.events import body_of, last_midnight
from chaos.ledger import Ledger
from tests.api_keys import create_key
from tests.chaos import missing_events
from tests.crashing_buffer import CRASHES, Crash, CrashingBuffer, die
from tests.databases import empty_redis, empty_tables
from tests.folds import FOLD_CRASHES, fold_and_crash
from worker.dead_letters import keep_dead_letter
from worker.drain import drain
from worker.store import EventStore, ReceivedEvent, StoreReport

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(300)]

POISON = (b"", b"x", b"[9]", b"\xff")
FIRST_PROJECT = 9_000_000


@dataclass
class Stand:
    url: str
    postgres: RunningPostgres
    redis: RunningRedis
    folder: Path
    runs: int = field(default=0)


class AnySequence(RuleBasedStateMachine):
    def __init__(self, stand: Stand) -> None:
        super().__init__()
        self.stand = stand
        empty_tables(stand.postgres.url)
        empty_redis(stand.redis.url)
        stand.runs += 1
        self.project_id = FIRST_PROJECT + stand.runs
        missing_events.begin_project_ids_at(stand.postgres.url, self.project_id)
        self.folder = stand.folder / f"run-{stand.runs}"
        self.folder.mkdir()
        self.ledger = Ledger(self.folder / "client.ledger")
        headers = {"Authorization": f"Bearer {create_key(stand.postgres.url)}", "Content-Type": "application/json"}
        self.http = httpx.Client(base_url=stand.url, headers=headers, timeout=20)
        self.client = connect_redis(stand.redis.url, timeout_seconds=5)
        self.connection = self._connect()
        self.midnights: list[int] = []
        self.store = EventStore()
        self.next_number = 1
        self.last_keyed: tuple[int, int] | None = None
        self.numbering = Numbering(self._write_down, delay_seconds=3_600)
        self.replayed = 0
        self.flushed: dict[bytes, int] = {}
        self.lost: set[int] = set()
        self.rejected: set[int] = set()
        self.planted = 0

    def _connect(self) -> Connection:
        return connect(self.stand.postgres.url, application_name="test", statement_timeout_ms=30_000)

    def _write_down(self, rows: Sequence[Acknowledgement]) -> None:
        self.replayed += sum(end - first for row in rows for first, end in row.runs)
        insert_acknowledgements(self.connection, rows)

    @rule(count=st.sampled_from([1, 1, 2, 7, 60]), has_key=st.booleans())
    def post(self, count: int, has_key: bool) -> None:
        first, self.next_number = self.next_number, self.next_number + count
        self._send(first, count, f"key-{first}" if has_key else None)
        if has_key:
            self.last_keyed = first, count

    @precondition(lambda self: self.last_keyed)
    @rule()
    def retry(self) -> None:
        assert self.last_keyed
        self._send(*self.last_keyed, f"key-{self.last_keyed[0]}")

    @precondition(lambda self: self.last_keyed)
    @rule()
    def reuse_the_key_for_another_event(self) -> None:
        assert self.last_keyed
        first, self.next_number = self.next_number, self.next_number + 1
        self._send(first, 1, f"key-{self.last_keyed[0]}")

    def _send(self, first: int, count: int, key: str | None) -> None:
        path = ANALYTICS_PATH if count == 1 else BATCH_PATH
        self.ledger.intend(first, count)
        body = body_of(first, count, last_midnight())
        answer = self.http.post(path, content=body, headers={"Idempotency-Key": key} if key else {})
        if answer.status_code == httpx.codes.NO_CONTENT:
            self.ledger.acknowledged(first, count, repeated="Idempotent-Replayed" in answer.headers)
        elif answer.status_code in (400, 429):
            self.ledger.refused(first, count, answer.status_code)
        else:
            self.ledger.unknown(first, count, answer.status_code)

    @rule(consumer=st.sampled_from(["worker-1", "worker-2"]), crash=st.sampled_from(["", "", *CRASHES]))
    def drain(self, consumer: str, crash: str) -> None:
        buffer = CrashingBuffer(self.client, self.midnights)
        buffer.crash = crash
        try:
            self._drain(buffer, consumer)
        except Crash:
            self.connection.close()
            self.connection, self.store = self._connect(), EventStore()

    def _drain(self, buffer: CrashingBuffer, consumer: str) -> None:
        def store(batch: Sequence[ReceivedEvent]) -> StoreReport:
            if self.rejected & {int(received.event.cost_usd or 0) for received in batch}:
                raise RejectedByDatabase("by the test")
            dies = buffer.crash == "inside the transaction"
            with patch("worker.store.append_additions", die) if dies else nullcontext():
                return self.store.store(self.connection, batch)

        def set_aside(entry: Entry, reason: str) -> None:
            keep_dead_letter(self.connection, entry, reason)

        drain(
            buffer,
            store,
            set_aside,
            consumer=consumer,
            clock=time.monotonic,
            pause=lambda _seconds: None,
            should_stop=lambda: False,
            wait_ms=1,
        )

    @rule(crash=st.sampled_from(["", "", *FOLD_CRASHES]))
    def fold(self, crash: str) -> None:
        with suppress(Crash), self._connect() as connection:
            fold_and_crash(connection, crash)

    @rule()
    def let_claims_grow_old(self) -> None:
        age_pending(self.client)

    @rule()
    def pass_midnight(self) -> None:
        """Known: a repeat after midnight without its mark is another event; so nobody repeats across both."""
        seconds, microseconds = self.client.time()
        self.midnights.append(seconds * 1_000 + microseconds // 1_000)

    @rule(poison=st.sampled_from(POISON))
    def poison(self, poison: bytes) -> None:
        self.client.xadd(STREAM, {"e": poison})
        self.planted += 1

    @rule(number=st.integers(1, 20))
    def let_postgresql_refuse(self, number: int) -> None:
        self.rejected.add(number)

    @rule()
    def replay_dead_letters(self) -> None:
        """Also those whose worker died before XACK, which come back by two ways."""
        self.rejected.clear()
        ids = select_dead_letter_ids(self.connection)
        take_out(self.connection, ids, put_back(EventBuffer(self.client, numbering=self.numbering)))
        assert self.numbering.flush()

    @rule()
    def flush(self) -> None:
        """What was acknowledged and is not stored is lost, and the marks with it."""
        entries: Any = self.client.xrange(STREAM)
        self.planted -= missing_events.poison_not_set_aside(self.connection, entries, POISON)
        self.flushed |= missing_events.numbers_by_label(entries)
        self.client.flushall()
        self.lost |= missing_events.missing(self.connection, self.folder)
        self.last_keyed = None

    @rule(server=st.sampled_from(["Redis", "PostgreSQL"]))
    def restart(self, server: str) -> None:
        self.client.close()
        self.connection.close()
        (self.stand.redis if server == "Redis" else self.stand.postgres).restart()
        self.client = connect_redis(self.stand.redis.url, timeout_seconds=5)
        self.connection, self.store = self._connect(), EventStore()

    def teardown(self) -> None:
        try:
            self._drain_all()
            self.replay_dead_letters()
            self._drain_all()
            self.ledger.planted(self.planted)
            broken = check(self.folder, self.stand.postgres.url, buffered=0, known_lost=len(self.lost))
            assert broken[1] == [], broken
            self._compare_with_the_detector()
        finally:
            self.ledger.close()
            self.http.close()
            self.client.close()
            self.connection.close()

    def _compare_with_the_detector(self) -> None:
        accepted = sum(missing_events.acknowledged(self.folder).values()) + self.replayed
        told = missing_events.told_by_the_detector(self.connection, self.client, self.project_id, accepted)
        assert sorted(self.flushed.get(label, 0) for label in told) == sorted(self.lost)

    def _drain_all(self) -> None:
        while self.client.xlen(STREAM):
            age_pending(self.client)
            self.drain("worker-1", "")


def test_the_law_holds_after_any_sequence(
    web: str, postgres: RunningPostgres, redis_server: RunningRedis, database_url: str, tmp_path: Path
):
    stand = Stand(web, postgres, redis_server, tmp_path)
    run_state_machine_as_test(
        partial(AnySequence, stand),  # type: ignore[arg-type]  # it calls what it gets
        settings=settings(
            max_examples=6,
            stateful_step_count=20,
            deadline=None,
            derandomize=True,
            database=None,
            # a sequence takes seconds: to shorten one that fails is for a person who asks for it
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        ),
    )

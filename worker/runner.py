"""What a worker process does besides RQ: drain, fold and upkeep, with the connections they need."""

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime

import redis

from app.core.database import Connection, ConnectionPool, connection_from, database_errors
from app.core.errors import PromptAnalyticsError, RedisUnavailable, Rejected, Unavailable
from app.core.operations.tallies import DRAINED, add_counts, count_events_by_key, five_minutes_of
from app.core.runbook import entry_for
from app.core.stream.buffer import EventBuffer
from app.core.stream.entries import Entry
from app.core.stream.losses import look_for_losses
from worker.dead_letters import keep_dead_letter
from worker.drain import drain
from worker.fold import fold
from worker.known_versions import NEW_PER_DAY, NewPerDay
from worker.maintenance import agreed_time, maintain
from worker.set_aside import DrainReport
from worker.store import EventStore, ReceivedEvent, StoreReport

UPKEEP_INTERVAL_SECONDS = 3_600.0
UPKEEP_RETRY_SECONDS = 60.0
LOOK_INTERVAL_SECONDS = 14.0
"""A loss is named within a minute: when its second has been written down, and the next look has come."""
LOOK_PAUSE = 10
"""So many times longer than a look takes, the pause after it is at least: a look through a long buffer costs Redis."""
FOLD_INTERVAL_SECONDS = 5.0
"""Between two looks for what is to be folded."""
LONGEST_NAP_SECONDS = 0.2

log = logging.getLogger(__name__)


class Runner:
    """State of one worker process: its connections, what its store remembers, and when it last did the upkeep."""

    def __init__(
        self,
        buffer: EventBuffer,
        client: redis.Redis,
        pool: ConnectionPool,
        *,
        consumer: str,
        retention_days: int,
        new_per_day: NewPerDay = NEW_PER_DAY,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """`pool` has one connection: one drain at a time runs in a process. `clock` tells the time in UTC."""
        self._stopping = False
        self._buffer = buffer
        self._client = client
        self._pool = pool
        self._consumer = consumer
        self._retention_days = retention_days
        self._new_per_day = new_per_day
        self._clock = clock
        self._connection: Connection | None = None
        self._store = self._new_store()
        self._has_more = False
        self._next_upkeep = 0.0
        self._next_look = 0.0
        self._next_fold = 0.0
        self._more_to_fold = False
        self._folds_put_off: dict[int, float] = {}
        self._drained_well = False

    def request_stop(self) -> None:
        """End after the batch in hand. Fit for a signal handler: a threading.Event could deadlock there."""
        self._stopping = True

    def is_stopping(self) -> bool:
        return self._stopping

    def pause(self, seconds: float) -> None:
        """Sleep, but wake soon when asked to stop."""
        until = time.monotonic() + seconds
        while not self._stopping and (left := until - time.monotonic()) > 0:
            time.sleep(min(left, LONGEST_NAP_SECONDS))

    def tick(self) -> None:
        """Upkeep and fold when due, a drain, a look for losses. Never raises for a server that does not answer."""
        if time.monotonic() >= self._next_upkeep:
            try:
                self._maintain()
                self._next_upkeep = time.monotonic() + UPKEEP_INTERVAL_SECONDS
            except PromptAnalyticsError as error:
                self._next_upkeep = time.monotonic() + UPKEEP_RETRY_SECONDS
                log.warning("upkeep put off", extra={"reason": str(error), "see": entry_for(error)})
        self.drain()
        # a Redis that cannot be drained may be one that lags behind: nothing is told by what it does not have
        if self._drained_well and time.monotonic() >= self._next_look:
            self._look_for_losses()

    def drain(self) -> None:
        """Empty the buffer, and fold. Never raises for a server that does not answer: the next drain goes on."""
        self._has_more = self._drained_well = self._more_to_fold = False
        report = DrainReport()
        try:
            self._drain(report)
            self._has_more, self._drained_well = not report.emptied, True
        except RedisUnavailable as error:
            # one node of a cluster may be away for long, while the others go on
            _put_off(error)
        except PromptAnalyticsError as error:
            # The next drain may find another server behind the same name, to which old keys mean nothing.
            self._connection = None
            _put_off(error)
            return
        self._tell(report)
        if time.monotonic() >= self._next_fold:
            self._fold()

    def _tell(self, report: DrainReport) -> None:
        if report.batches:
            log.info(
                "drained",
                extra={"stored": report.stored, "repeated": report.repeated, "set_aside": report.set_aside}
                | {"batches": report.batches, "emptied": report.emptied},
            )
            # for people to look at: a drain is none the worse for a Redis that has no room for it
            with suppress(Rejected, Unavailable):
                add_counts(self._client, DRAINED, {(five_minutes_of(time.time()), "stored"): report.stored})

    def has_more_to_do(self) -> bool:
        """Whether the last drain or fold ended because its time was up."""
        return self._drained_well and (self._has_more or self._more_to_fold) and not self._stopping

    def _drain(self, report: DrainReport) -> None:
        # The connection comes first: while PostgreSQL is down nothing is claimed that could not be stored.
        with connection_from(self._pool) as connection:
            if connection is not self._connection:
                self._connection, self._store = connection, self._new_store()

            def store(batch: Sequence[ReceivedEvent]) -> StoreReport:
                return self._store.store(connection, batch)

            def set_aside(entry: Entry, reason: str) -> None:
                with database_errors():
                    keep_dead_letter(connection, entry, reason)

            drain(
                self._buffer,
                store,
                set_aside,
                consumer=self._consumer,
                clock=time.monotonic,
                pause=self.pause,
                should_stop=self.is_stopping,
                report=report,
            )

    def _new_store(self) -> EventStore:
        return EventStore(self._new_per_day, self._events_by_key)

    def _events_by_key(self) -> Mapping[int, int]:
        """What the tallies know; nothing where Redis does not answer."""
        with suppress(Rejected, Unavailable):
            return count_events_by_key(self._client, self._clock())
        return {}

    def _fold(self) -> None:
        """A fold that cannot be done costs nothing but time: what is not folded is summed up by whoever asks."""
        try:
            with connection_from(self._pool) as connection:
                self._more_to_fold = not fold(
                    connection, self._folds_put_off, clock=time.monotonic, should_stop=self.is_stopping
                )
        except PromptAnalyticsError as error:
            log.warning("fold put off", extra={"reason": str(error), "see": entry_for(error)})
        self._next_fold = time.monotonic() + (0.0 if self._more_to_fold else FOLD_INTERVAL_SECONDS)

    def _look_for_losses(self) -> None:
        began_at = time.monotonic()
        try:
            with connection_from(self._pool) as connection:
                look_for_losses(connection, self._client)
        except PromptAnalyticsError as error:
            log.warning("the look for losses was put off", extra={"reason": str(error), "see": entry_for(error)})
        ended_at = time.monotonic()
        self._next_look = ended_at + max(LOOK_INTERVAL_SECONDS, LOOK_PAUSE * (ended_at - began_at))

    def _maintain(self) -> None:
        with connection_from(self._pool) as connection:
            now = agreed_time(connection, self._clock())
            maintain(connection, now, retention_days=self._retention_days)


def _put_off(error: PromptAnalyticsError) -> None:
    log.warning("drain put off", extra={"reason": str(error), "see": entry_for(error)})

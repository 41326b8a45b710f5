"""The threads of a worker process that look for news and deliver it, beside the drain and never in its way.

They have connections of their own. What a receiver does, and what PostgreSQL does to them, ends or delays nothing else.
"""

import logging
import math
import threading
import time
from collections.abc import Callable

from app.core.database import ConnectionPool, connection_from
from app.core.errors import PromptAnalyticsError
from app.core.queries.maintenance import select_now
from app.core.runbook import entry_for
from worker.news.delivery import Courier, deliver_next
from worker.news.looks import Compared, Looking, look_for_news

DELIVERIES_AT_ONCE = 3
CONNECTIONS = 2
"""Nobody holds one while a receiver is waited for."""
DELIVERY_PAUSE_SECONDS = 2.0
LOOK_INTERVAL_SECONDS = 20.0
LOOK_PAUSE = 3
"""So many times longer than a look takes, the pause after it is at least: the drain has the same processor."""
LONGEST_ROUND_SECONDS = 10.0
"""After so long the prompts that are left wait for the next round: with its pause it begins within 60 s, and
budgets, silence and dead letters are looked at in each."""
AFTER_FAILURE_SECONDS = 10.0
LEAVE_SECONDS = 12.0
"""An attempt in hand ends within its deadline of 10 s; one that is cut off is made again by whoever comes next."""

log = logging.getLogger(__name__)


class NewsDesk:
    """The threads, from `open` to `close`."""

    def __init__(self, pool: ConnectionPool, courier: Courier, looking: Looking) -> None:
        """`pool` has CONNECTIONS of its own; it is closed by whoever opened it, after `close`."""
        self._pool = pool
        self._courier = courier
        self._looking = looking
        self._closing = threading.Event()
        self._compared: Compared = {}
        jobs = [
            ("news-looks", self._look),
            *((f"news-delivery-{number}", self._deliver) for number in range(DELIVERIES_AT_ONCE)),
        ]
        self._threads = [threading.Thread(target=self._run, args=(job,), name=name, daemon=True) for name, job in jobs]

    def open(self) -> None:
        for thread in self._threads:
            thread.start()

    def close(self) -> None:
        """Begin nothing more, and wait for the attempts in hand."""
        self._closing.set()
        until = time.monotonic() + LEAVE_SECONDS
        for thread in self._threads:
            thread.join(max(0.0, until - time.monotonic()))

    def _run(self, job: Callable[[], float]) -> None:
        """`job` returns how many seconds to pause."""
        while not self._closing.is_set():
            try:
                pause_seconds = job()
            except PromptAnalyticsError as error:
                log.warning("news is put off", extra={"reason": str(error), "see": entry_for(error)})
                pause_seconds = AFTER_FAILURE_SECONDS
            except Exception:
                log.exception("news is put off by an unforeseen error")
                pause_seconds = AFTER_FAILURE_SECONDS
            self._closing.wait(pause_seconds)

    def _deliver(self) -> float:
        return 0.0 if deliver_next(self._pool, self._courier) else DELIVERY_PAUSE_SECONDS

    def _look(self) -> float:
        began_at = time.monotonic()

        until = math.inf

        def is_over() -> bool:
            # from when it is first asked: prompts have their time however long the other looks took
            nonlocal until
            until = min(until, time.monotonic() + LONGEST_ROUND_SECONDS)
            return self._closing.is_set() or time.monotonic() > until

        with connection_from(self._pool) as connection:
            now = select_now(connection)
            look_for_news(connection, self._looking, now, compared=self._compared, should_stop=is_over)
        return max(LOOK_INTERVAL_SECONDS, LOOK_PAUSE * (time.monotonic() - began_at))

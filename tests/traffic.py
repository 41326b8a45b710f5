"""Clients whose events can be told apart, and the law that each that was acknowledged is stored once."""

import http.client
import itertools
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from uuid import UUID

from app.core.database import Connection, connect
from app.core.redis_client import connect as connect_redis
from app.core.stream.state import STREAM
from tests.recount import assert_rollups_equal_a_recount
from tests.waiting import wait_until

PATH = "/api/v1/prompts/analytics"
CONNECTIONS = 6
PAUSE_SECONDS = 0.01
"""Between two events of a connection: without, traffic takes all of the machine from what it is sent to."""


class Traffic:
    """Clients that post numbered events: the number is the cost, so that every event can be told from the others."""

    def __init__(self, url: str, key: str, *, retry: bool) -> None:
        """With `retry` each event has an Idempotency-Key and is sent until it is acknowledged."""
        self.acknowledged: list[int] = []
        self.unknown: list[int] = []
        self._address = url.removeprefix("http://")
        self._key = key
        self._retry = retry
        self._numbers = itertools.count(1)
        self._ended = threading.Event()
        self._threads = [threading.Thread(target=self._post_events) for _ in range(CONNECTIONS)]

    @contextmanager
    def flowing(self) -> Iterator["Traffic"]:
        for thread in self._threads:
            thread.start()
        try:
            yield self
        finally:
            self._ended.set()
            for thread in self._threads:
                thread.join()

    def wait_for(self, count: int) -> None:
        """Until so many more events are acknowledged."""
        goal = len(self.acknowledged) + count
        wait_until(lambda: len(self.acknowledged) >= goal, 60)

    def _post_events(self) -> None:
        connection = http.client.HTTPConnection(self._address, timeout=10)
        while not self._ended.wait(PAUSE_SECONDS):
            number = next(self._numbers)
            while not self._post(connection, number) and self._retry:
                time.sleep(0.05)
        connection.close()

    def _post(self, connection: http.client.HTTPConnection, number: int) -> bool:
        body = {
            "prompt_id": str(UUID(int=number % 7)),
            "version_hash": f"v{number % 3}",
            "latency_ms": number % 1_000 + 0.5,
            "cost_usd": number,
        }
        headers = {"Authorization": f"Bearer {self._key}", "Content-Type": "application/json"}
        if self._retry:
            headers["Idempotency-Key"] = f"event-{number}"
        try:
            connection.request("POST", PATH, json.dumps(body), headers)
            answer = connection.getresponse()
            answer.read()
        except (OSError, http.client.HTTPException):
            connection.close()
            self.unknown.append(number)
            return False
        if answer.status == http.HTTPStatus.SERVICE_UNAVAILABLE:
            self.unknown.append(number)
        if answer.status == http.HTTPStatus.NO_CONTENT:
            self.acknowledged.append(number)
        return answer.status == http.HTTPStatus.NO_CONTENT


@contextmanager
def database(url: str) -> Iterator[Connection]:
    with connect(url, application_name="test", statement_timeout_ms=30_000) as connection:
        yield connection


def wait_until_drained(redis_url: str) -> None:
    with connect_redis(redis_url, timeout_seconds=5) as client:
        wait_until(lambda: client.xlen(STREAM) == 0, 60, 0.1)


def assert_each_stored_once(database_url: str, flow: Traffic) -> None:
    """All that was acknowledged, and nothing else but what may or may not have been stored."""
    with database(database_url) as connection:
        stored = [row[0] for row in connection.execute("SELECT cost_usd FROM events ORDER BY cost_usd")]
        assert len(stored) == len(set(stored)), "an event is stored twice"
        missing = set(map(Decimal, flow.acknowledged)) - set(stored)
        assert not missing, f"{len(missing)} acknowledged events are lost"
        assert set(stored) <= set(map(Decimal, flow.acknowledged + flow.unknown))
        assert_rollups_equal_a_recount(connection)
        assert connection.execute("SELECT count(*) FROM dead_letters").fetchone() == (0,)

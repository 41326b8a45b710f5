"""Our RQ worker around a stand-in for the process that it serves."""

import signal
from collections.abc import Iterator

import pytest
import redis

from app.core.redis_client import connect
from worker.rq_worker import DrainWorker
from worker.runner import Runner


class BusyProcess(Runner):
    """Its drains find no end the first times, as under steady traffic."""

    def __init__(self, drains_without_end: int) -> None:
        self.ticks = 0
        self._left = drains_without_end

    def tick(self) -> None:
        self.ticks += 1

    def has_more_to_do(self) -> bool:
        self._left -= 1
        return self._left >= 0

    def is_stopping(self) -> bool:
        return False


@pytest.fixture
def client(redis_url: str, clean_redis: None) -> Iterator[redis.Redis]:
    with connect(redis_url, timeout_seconds=20) as client:
        yield client


def test_the_upkeep_gets_its_turn_between_drains_that_find_no_end(client: redis.Redis) -> None:
    process = BusyProcess(drains_without_end=5)
    DrainWorker(client, process).run_maintenance_tasks()
    assert process.ticks == 6


def test_no_alarm_of_rq_ends_a_drain_in_the_middle() -> None:
    handler = signal.getsignal(signal.SIGALRM)
    with DrainWorker.death_penalty_class(1, job_id="drain"):
        assert signal.getsignal(signal.SIGALRM) is handler

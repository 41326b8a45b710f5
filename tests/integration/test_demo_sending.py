"""The demo's client, before a service that answers as the test says."""

import pytest

from app.core.errors import Rejected, Unavailable
from app.demo import sending
from app.demo.sending import BATCH_SIZE, PATIENCE_SECONDS
from tests.stand_in import StandIn

EVENT = {"prompt_id": "123e4567-e89b-12d3-a456-426614174000", "version_hash": "v1"}


class Clock:
    """Time passes only when somebody sleeps."""

    def __init__(self) -> None:
        self.now = 0.0
        self.slept: list[float] = []

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


def send(service: StandIn, clock: Clock, *, events: int = 1) -> int:
    many = [EVENT] * events
    return sending.send(
        many, service.url, "eg_live_x", idempotency_key="k", monotonic=clock.monotonic, sleep=clock.sleep
    )


def test_it_sends_no_more_than_a_batch_at_once_and_each_has_its_own_key():
    clock = Clock()
    with StandIn([(204, None)] * 3).running() as service:
        assert send(service, clock, events=2 * BATCH_SIZE + 1) == 2 * BATCH_SIZE + 1
    assert service.asked == [("k/0", BATCH_SIZE), ("k/1", BATCH_SIZE), ("k/2", 1)]


def test_it_waits_as_long_as_it_is_told_and_then_repeats_the_same_batch():
    clock = Clock()
    with StandIn([(429, "7"), (503, None), (204, None)]).running() as service:
        send(service, clock)
    assert service.asked == [("k/0", 1)] * 3
    assert clock.slept == [7, 1]


def test_it_gives_up_when_the_service_never_takes_a_batch():
    clock = Clock()
    with StandIn([(503, "10")] * 20).running() as service, pytest.raises(Unavailable):
        send(service, clock)
    assert sum(clock.slept) == PATIENCE_SECONDS


def test_it_tries_again_where_no_answer_comes():
    clock = Clock()
    with StandIn([]).running() as service:
        pass
    with pytest.raises(Unavailable):
        send(service, clock)
    assert len(clock.slept) > 10


@pytest.mark.parametrize("status", [400, 401, 403, 404, 500])
def test_it_does_not_repeat_what_would_never_be_taken(status: int):
    clock = Clock()
    with StandIn([(status, None)]).running() as service, pytest.raises(Rejected):
        send(service, clock)
    assert clock.slept == []

"""One computation at a time, shared by all who ask."""

from concurrent.futures import ThreadPoolExecutor
from threading import Event

import pytest

from app.web.single_flight import SingleFlight
from tests.clocks import Monotonic, counting
from tests.waiting import wait_until


def test_a_result_is_shared_until_it_is_too_old() -> None:
    clock = Monotonic()
    flight = SingleFlight[int](max_age_seconds=1.0, deadline_seconds=5.0, monotonic=clock)
    compute = counting()
    assert flight.result(compute, if_late=-1) == 1
    clock.now += 0.99
    assert flight.result(compute, if_late=-1) == 1
    clock.now += 0.01
    assert flight.result(compute, if_late=-1) == 2


def test_those_who_ask_at_once_wait_for_one_computation() -> None:
    flight = SingleFlight[int](max_age_seconds=1.0, deadline_seconds=10.0)
    begin = Event()
    compute = counting()

    def compute_when_told() -> int:
        begin.wait(10)
        return compute()

    with ThreadPoolExecutor(max_workers=20) as threads:
        waiting = [threads.submit(flight.result, compute_when_told, if_late=-1) for _ in range(20)]
        begin.set()
        assert {future.result(10) for future in waiting} == {1}


def test_a_computation_that_hangs_keeps_nobody_longer_than_the_deadline() -> None:
    clock = Monotonic()
    flight = SingleFlight[int](max_age_seconds=1.0, deadline_seconds=0.01, monotonic=clock)
    end = Event()
    compute = counting()

    def hang() -> int:
        end.wait(10)
        return compute()

    for _ in range(3):
        assert flight.result(hang, if_late=-1) == -1
        clock.now += 60
    end.set()
    patient = SingleFlight[int](max_age_seconds=1.0, deadline_seconds=10.0)
    assert patient.result(compute, if_late=-1) <= 2, "no second computation was begun beside the one that hung"


def test_an_error_is_raised_to_all_who_asked_and_forgotten_with_its_time() -> None:
    clock = Monotonic()
    flight = SingleFlight[int](max_age_seconds=1.0, deadline_seconds=5.0, monotonic=clock)

    def fail() -> int:
        raise ValueError("broken")

    for _ in range(2):
        with pytest.raises(ValueError, match="broken"):
            flight.result(fail, if_late=-1)
    clock.now += 1
    assert flight.result(lambda: 7, if_late=-1) == 7


def test_a_busy_server_may_take_its_time_as_long_as_what_it_told_before_is_usable() -> None:
    clock = Monotonic()
    flight = SingleFlight[int](
        max_age_seconds=2.0, deadline_seconds=0.01, usable_seconds=10.0, hurry_seconds=0.01, monotonic=clock
    )
    end = Event()
    wait_until(lambda: flight.result(lambda: 1, if_late=-1) == 1)
    clock.now += 9.9
    assert flight.result(lambda: int(end.wait(10)), if_late=-1) == 1
    clock.now += 0.1
    assert flight.result(lambda: 3, if_late=-1) == -1
    end.set()

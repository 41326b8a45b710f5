import gevent
import pytest

from app.web.fair_lock import FairLock


def test_turns_come_one_after_another_in_the_order_of_their_beginning():
    lock, log = FairLock(), []

    def take(number: int) -> None:
        with lock.held():
            log.append(number)
            gevent.sleep(0)
            log.append(number)
        # A newcomer must not get in before those who wait.
        if number < 100:
            take(number + 100)

    gevent.joinall([gevent.spawn(take, number) for number in range(5)], raise_error=True)
    assert log == [number for first in (*range(5), *range(100, 105)) for number in (first, first)]


def test_a_turn_that_fails_or_is_given_up_holds_nobody_up():
    lock = FairLock()
    with pytest.raises(ValueError, match="broken"), lock.held():
        raise ValueError("broken")

    def take() -> str:
        with lock.held():
            return "done"

    with lock.held():
        waiting = gevent.spawn(take)
        gevent.sleep(0)
        waiting.kill()
    with gevent.Timeout(1):
        assert take() == "done"

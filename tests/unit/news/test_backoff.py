"""Pauses between attempts: ever longer, scattered, and over after a day."""

from datetime import UTC, datetime, timedelta

import pytest

from app.core.news.backoff import JITTER, LONGEST_PAUSE, next_attempt_at, pause_asked_for

NOW = datetime(2026, 11, 27, tzinfo=UTC)
NEVER = NOW + timedelta(days=365)
FAR_ZONE = "Fri, 27 Nov 2026 00:00:00 +9999999999999"


def pause(attempts: int, chance: float = 0.5) -> float:
    found = next_attempt_at(attempts, NOW, NEVER, chance=chance)
    assert found is not None
    return (found - NOW).total_seconds()


def test_each_pause_is_three_times_the_one_before_up_to_four_hours():
    assert [pause(attempts) for attempts in range(1, 5)] == [5, 15, 45, 135]
    assert pause(9) == LONGEST_PAUSE.total_seconds()
    assert pause(10_000) == LONGEST_PAUSE.total_seconds()


def test_pauses_are_scattered_by_a_fifth():
    assert (pause(3, chance=0), pause(3, chance=1)) == (45 * (1 - JITTER), 45 * (1 + JITTER))


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("120", 120),
        (" 7 ", 7),
        ("Fri, 27 Nov 2026 00:02:00 GMT", 120),
        ("Thu, 26 Nov 2026 00:00:00 GMT", 0),
        ("9" * 400, LONGEST_PAUSE.total_seconds()),
        ("Fri, 31 Dec 9999 23:59:59 GMT", LONGEST_PAUSE.total_seconds()),
    ],
)
def test_what_a_receiver_asks_for_is_read_in_both_forms_and_bounded(header: str, seconds: float):
    assert pause_asked_for(header, NOW) == timedelta(seconds=seconds)


@pytest.mark.parametrize(
    "header", ["", "soon", "-5", "1.5", "\u0662", "27 Nov", "Fri, 99 Nov 2026 00:00:00 GMT", FAR_ZONE]
)
def test_what_is_no_time_asks_for_nothing(header: str):
    assert pause_asked_for(header, NOW) is None


def test_a_receiver_may_ask_for_a_longer_pause_and_for_no_shorter_one():
    found = [
        next_attempt_at(2, NOW, NOW + timedelta(minutes=10), chance=0.5, asked=timedelta(seconds=seconds))
        for seconds in (1, 120, 3_600)
    ]
    assert found == [NOW + timedelta(seconds=seconds) for seconds in (15, 120, 600)]


def test_the_last_attempt_is_when_the_time_is_up_and_there_is_none_after_it():
    now, attempts, tries = NOW, 0, []
    while now is not None:
        tries.append(now)
        attempts += 1
        found = next_attempt_at(attempts, now, NOW + timedelta(hours=24), chance=0.5)
        if found is None:
            break
        now = found
    assert tries[-1] == NOW + timedelta(hours=24)
    assert 10 <= len(tries) <= 20

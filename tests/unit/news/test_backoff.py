"""Pauses between attempts: ever longer, scattered, and over after a day."""

from datetime import UTC, datetime, timedelta

from app.core.news.backoff import JITTER, LONGEST_PAUSE, next_attempt_at

NOW = datetime(2026, 11, 27, tzinfo=UTC)
NEVER = NOW + timedelta(days=365)


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

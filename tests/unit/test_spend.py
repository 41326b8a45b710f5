"""The forecast of a month."""

from datetime import UTC, datetime

import numpy as np
import pytest

from app.core.analytics.spend import forecast

NOW = datetime(2026, 3, 11, 6, tzinfo=UTC)
END = datetime(2026, 4, 1, tzinfo=UTC)
DAYS_LEFT = 20.75
# a Wednesday first, as 28 days before NOW
WEEKDAYS = np.array([10, 10, 10, 2, 2, 10, 10.0])


def hours(days: "np.ndarray[tuple[int], np.dtype[np.float64]]") -> "np.ndarray[tuple[int], np.dtype[np.float64]]":
    return np.repeat(days / 24, 24)


def test_a_month_without_surprises_ends_where_its_weekdays_say():
    found = forecast(100, hours(np.tile(WEEKDAYS, 4)), now=NOW, month_end=END)
    assert found is not None
    rest = 0.75 * 10 + 2 * 54 + sum(WEEKDAYS[(np.arange(1, 7)) % 7])
    assert found.usd == pytest.approx(100 + rest)
    assert found.low == pytest.approx(found.usd)
    assert found.high == pytest.approx(found.usd)


def test_the_end_of_the_day_is_what_its_hours_mostly_cost():
    at_night = np.zeros(24)
    at_night[2] = 10
    found = forecast(10, np.tile(at_night, 28), now=NOW, month_end=datetime(2026, 3, 12, tzinfo=UTC))
    assert found is not None
    assert found.usd == 10


@pytest.mark.parametrize("kept", [0.0, 0.5])
def test_nine_of_ten_months_end_within_the_range(kept: float):
    random = np.random.default_rng(1)
    inside = 0
    for _ in range(300):
        shocks = np.empty(49)
        shocks[0] = random.standard_normal()
        for day in range(1, 49):
            shocks[day] = kept * shocks[day - 1] + np.sqrt(1 - kept**2) * random.standard_normal()
        days = np.tile(WEEKDAYS, 7) * np.exp(0.2 * shocks)
        found = forecast(0, hours(days[:28]), now=NOW.replace(hour=0), month_end=END)
        assert found is not None
        inside += found.low <= days[28:].sum() <= found.high
    assert 0.88 <= inside / 300 <= 1


def test_two_weeks_of_costs_are_needed():
    days = np.tile(WEEKDAYS, 4)
    days[:15] = 0
    assert forecast(1, hours(days), now=NOW, month_end=END) is None
    days[:14] = 0
    days[14] = WEEKDAYS[0]
    found = forecast(1, hours(days), now=NOW, month_end=END)
    assert found is not None
    assert found.usd == pytest.approx(1 + 0.75 * 10 + 2 * 54 + sum(WEEKDAYS[(np.arange(1, 7)) % 7]))

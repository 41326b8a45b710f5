"""The events of the demo: believable, bounded, and always the same."""

import json
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

import pytest

from app.demo.events import SLICE_SECONDS, History, shares
from app.demo.story import PROMPTS, STORY_DAYS
from app.web.api.schemas import BatchSchema, decode_json, load

# A Sunday, so that the week before it is a whole one.
END = datetime(2026, 11, 22, tzinfo=UTC).timestamp()
HISTORY = History(seed=1, events_per_day=2_000, days=30, end=END)
NAMED = {prompt.name: prompt for prompt in PROMPTS}


def some_events(history: History = HISTORY, *, days_before: float, hours: float = 6) -> list[dict[str, Any]]:
    begin = int(history.end - days_before * 86_400) // SLICE_SECONDS * SLICE_SECONDS
    return [event for number in range(int(hours * 6)) for event in history.events(begin + number * SLICE_SECONDS)]


def test_the_same_seed_gives_the_same_events_and_another_seed_others():
    again = History(seed=1, events_per_day=2_000, days=30, end=END)
    other = History(seed=2, events_per_day=2_000, days=30, end=END)
    assert some_events(again, days_before=3) == some_events(days_before=3)
    assert some_events(other, days_before=3) != some_events(days_before=3)


def test_the_api_takes_the_events_as_they_are():
    recent = History(seed=1, events_per_day=2_000, days=1, end=datetime.now(UTC).timestamp())
    events = some_events(recent, days_before=0.5, hours=2)
    assert len(load(BatchSchema(), decode_json(json.dumps({"events": events}).encode()))["events"]) == len(events)


def test_every_event_lies_within_its_slice_and_they_are_in_order():
    start = int(END) - 5 * 86_400 + 12 * 3_600
    moments = [datetime.fromisoformat(event["timestamp"]).timestamp() for event in HISTORY.events(start)]
    assert moments
    assert start <= moments[0]
    assert moments[-1] < start + SLICE_SECONDS
    assert all(before <= after for before, after in pairwise(moments))


def test_the_number_of_events_is_about_what_was_asked_for():
    # Four whole weeks, as the days of a week differ.
    slices = [start for start in HISTORY.slices(END, spare_seconds=0) if start >= END - 28 * 86_400]
    assert sum(len(HISTORY.events(start)) for start in slices[::7]) * 7 == pytest.approx(28 * 2_000, rel=0.1)


def test_slices_are_complete_ones_and_none_is_older_than_the_api_takes():
    now = END + 5 * 86_400 + 123
    slices = list(HISTORY.slices(now, spare_seconds=300))
    assert slices[0] >= now - 30 * 86_400 + 300
    assert slices[0] < now - 30 * 86_400 + 300 + SLICE_SECONDS
    assert slices[-1] + SLICE_SECONDS <= now < slices[-1] + 2 * SLICE_SECONDS
    assert all(after - before == SLICE_SECONDS for before, after in pairwise(slices))


def test_a_later_run_draws_the_slices_of_an_earlier_one_as_they_were():
    earlier = list(HISTORY.slices(END, spare_seconds=300))
    later = list(HISTORY.slices(END + 86_400, spare_seconds=300))
    assert set(earlier[200:]) <= set(later)


def test_days_are_busier_than_nights_and_weekdays_than_weekends():
    thursday = END - 3 * 86_400
    saturday = END - 86_400
    day, night, weekend = (
        len(some_events(days_before=(END - at) / 86_400, hours=3))
        for at in (thursday + 13 * 3_600, thursday + 21 * 3_600, saturday + 13 * 3_600)
    )
    assert day > 2 * night
    assert day > 1.3 * weekend


@pytest.mark.parametrize("prompt", PROMPTS, ids=lambda prompt: prompt.name)
def test_the_shares_of_a_prompts_versions_are_a_whole_at_any_time(prompt):
    for tenth in range(int(STORY_DAYS) * 10 + 1):
        found = shares(prompt, tenth / 10)
        assert sum(found) == pytest.approx(1)
        assert min(found) >= 0


def test_traffic_moves_from_one_version_to_the_next_over_days():
    prompt = NAMED["Support reply"]
    assert shares(prompt, 30) == [1, 0, 0]
    first, second, third = shares(prompt, 17)
    assert 0.4 < first < 0.6
    assert second == 1 - first
    assert third == 0
    assert shares(prompt, 0) == [0, 0, 1]


def test_a_regression_is_rolled_back():
    prompt = NAMED["Order status answer"]
    assert shares(prompt, 10) == pytest.approx([0.1, 0.9, 0])
    assert shares(prompt, 8) == [1, 0, 0]


def test_scores_are_from_0_to_1_and_some_events_have_no_score_or_no_cost():
    events = some_events(days_before=4, hours=24)
    scores = [event["score"] for event in events if "score" in event]
    assert 0.2 * len(events) < len(scores) < 0.8 * len(events)
    assert min(scores) >= 0
    assert max(scores) <= 1
    assert 0 < sum("cost_usd" not in event for event in events) < 0.2 * len(events)
    assert all(event["latency_ms"] > 0 for event in events)


def means(prompt_name: str, place: int, *, days_before: float) -> tuple[float, float, float]:
    """Mean cost, latency and score of a version."""
    prompt = NAMED[prompt_name]
    version_hash = prompt.version_hash(prompt.versions[place])
    mine = [event for event in some_events(days_before=days_before, hours=48) if event["version_hash"] == version_hash]
    columns = [[event[name] for event in mine if name in event] for name in ("cost_usd", "latency_ms", "score")]
    cost_usd, latency_ms, score = (sum(column) / len(column) for column in columns)
    return cost_usd, latency_ms, score


def test_a_version_is_cheaper_but_slightly_slower_and_a_later_one_scores_better():
    first = means("Support reply", 0, days_before=26)
    second = means("Support reply", 1, days_before=13)
    third = means("Support reply", 2, days_before=2.5)
    assert second[0] < 0.8 * first[0]
    assert 1.01 * first[1] < second[1] < 1.2 * first[1]
    assert third[2] > second[2] + 0.04


def test_the_regression_was_worse_in_everything():
    before = means("Order status answer", 0, days_before=20)
    regression = means("Order status answer", 1, days_before=11)
    assert regression[0] > 1.5 * before[0]
    assert regression[1] > 1.5 * before[1]
    assert regression[2] < before[2] - 0.15

"""Two versions compared, from real rollups: estimates equal a recount of the events."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import NamedTuple
from uuid import UUID

import numpy as np
import pytest

from app.core.analytics.comparison import DEFAULT_MARGINS, Findings, MeasureName
from app.core.analytics.confidence import Interval, multiplier
from app.core.analytics.usage import NOTHING, find_prompt
from app.core.analytics.version_choice import choose_versions, compare_chosen
from app.core.analytics.version_comparison import Comparison, compare_versions, history
from app.core.database import Connection
from app.core.rollups.time_range import TimeRange
from tests.comparison_recount import Stratum, hour_of, hour_of_day, hour_of_week, weighted_means, weighted_p95s
from tests.folds import fold_all
from tests.usage_recount import assert_usage_equals, new_project, store_in_batches, within
from tests.versions import Draw, Traffic, always, around, events_of, passes
from worker.store import ReceivedEvent

NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)
NOW = NOON + timedelta(minutes=30)
PROMPT = UUID(int=1)
RNG_HOURS = np.random.default_rng(11).integers(5, 60, 400).tolist()
BUCKET = 0.02
"""Latencies of a bucket differ by so much at most, in logarithms."""


class World(NamedTuple):
    """A project with one prompt; `events` by version."""

    connection: Connection
    project_id: int
    events: dict[str, list[ReceivedEvent]]

    def send(self, version: str, hours_ago: int, by_hour: Sequence[int], **measures: Draw) -> None:
        start = NOON - timedelta(hours=hours_ago)
        traffic = Traffic(version=version, start=start, by_hour=by_hour, **measures)
        made = events_of(self.project_id, PROMPT, traffic, seed=len(self.events))
        self.events.setdefault(version, []).extend(made)
        store_in_batches(self.connection, made, batch_size=10_000)

    def compare(self, baseline: str | None = "old", candidate: str | None = "new") -> Comparison:
        return compare_chosen(self.connection, self.project_id, PROMPT, baseline=baseline, candidate=candidate, now=NOW)


@pytest.fixture
def world(database: Connection) -> World:
    return World(database, new_project(database), {})


def interval_of(findings: Findings, measure: MeasureName) -> Interval:
    interval = findings[measure].interval
    assert interval is not None
    return interval


def assert_equals_a_recount(
    found: Comparison, old: Sequence[ReceivedEvent], new: Sequence[ReceivedEvent], stratum: Stratum
) -> None:
    costs, scores = (weighted_means(old, new, measure, stratum) for measure in ("cost_usd", "score"))
    latencies, tails = weighted_means(old, new, "latency_ms", stratum), weighted_p95s(old, new, stratum)
    estimates = {measure: interval_of(found.findings, measure).estimate for measure in found.findings}
    assert estimates["cost_usd"] == pytest.approx(np.log(costs[1] / costs[0]), abs=1e-9)
    assert estimates["score"] == pytest.approx(scores[1] - scores[0], abs=1e-9)
    assert estimates["latency_ms"] == pytest.approx(latencies[1] - latencies[0], abs=1e-9)
    assert estimates["latency_p95_ms"] == pytest.approx(tails[1] - tails[0], abs=BUCKET)


def test_side_by_side_estimates_equal_a_recount_of_common_hours(world: World):
    world.send("old", 60, RNG_HOURS[:60], latency_ms=around(900, 0.8), cost_usd=around(0.01), score=passes(0.8))
    world.send("new", 30, RNG_HOURS[99:129], latency_ms=around(1_000, 0.8), cost_usd=around(0.009), score=passes(0.7))
    found = world.compare()
    assert found.kind == "side_by_side"
    assert_equals_a_recount(found, world.events["old"], world.events["new"], hour_of)
    compared = TimeRange(NOON - timedelta(hours=30), NOON, "hour")
    for version, name in ((found.baseline, "old"), (found.candidate, "new")):
        assert (version.start, version.end) == (compared.start, compared.end)
        assert_usage_equals(version.usage, within(compared, world.events[name]))


@pytest.mark.parametrize(("hours", "stratum", "span"), [(50, hour_of_day, 72), (200, hour_of_week, 336)])
def test_before_and_after_estimates_equal_a_recount_of_hours_of_the_day_or_week(
    world: World, hours: int, stratum: Stratum, span: int
):
    measures = {"latency_ms": around(900, 0.8), "cost_usd": around(0.01), "score": passes(0.8)}
    world.send("old", 400, RNG_HOURS[: 400 - hours], **measures)
    world.send("new", hours, RNG_HOURS[:hours], **measures)
    found = world.compare()
    change = NOON - timedelta(hours=hours)
    before = TimeRange(change - timedelta(hours=span), change, "hour")
    after = TimeRange(change + timedelta(hours=1), NOON, "hour")
    old, new = within(before, world.events["old"]), within(after, world.events["new"])
    assert found.kind == "before_after"
    assert_equals_a_recount(found, old, new, stratum)
    assert_usage_equals(found.candidate.usage, new)
    assert_usage_equals(found.baseline.usage, old)


def test_hours_of_other_load_do_not_count_against_the_version_that_has_more_events_in_them(world: World):
    # Both are as fast. Every other hour is busy and slow, and has four times as many events of the new one.
    for hour in range(24):
        busy = hour % 2 == 1
        latency = around(1_500 if busy else 700, 0.01)
        world.send("old", 24 - hour, [80 if busy else 320], latency_ms=latency)
        world.send("new", 24 - hour, [320 if busy else 80], latency_ms=latency)
    pooled = [np.mean([float(each.event.latency_ms or 0) for each in world.events[name]]) for name in ("old", "new")]
    assert pooled[1] - pooled[0] > 200
    interval = interval_of(world.compare().findings, "latency_ms")
    assert abs(np.expm1(interval.estimate)) * np.mean(pooled) < 1
    assert interval.low < 0 < interval.high


def test_with_the_versions_swapped_everything_is_the_other_way_round(world: World):
    for version, mean in (("old", 1_000), ("new", 800)):
        world.send(
            version, 9, [60] * 9, latency_ms=around(mean, 0.2), cost_usd=around(mean), score=passes(mean / 2_000)
        )
    found, swapped = world.compare(), world.compare("new", "old")
    assert (found.decision, swapped.decision) == ("mixed", "mixed")
    assert (swapped.baseline, swapped.candidate) == (found.candidate, found.baseline)
    for measure in found.findings:
        one, other = (interval_of(each.findings, measure) for each in (found, swapped))
        assert (-other.high, -other.estimate, -other.low) == pytest.approx((one.low, one.estimate, one.high), abs=1e-9)


def test_before_and_after_can_be_swapped_too(world: World):
    world.send("old", 96, [30] * 48, cost_usd=around(1))
    world.send("new", 48, [30] * 48, cost_usd=around(2))
    one, other = (interval_of(each.findings, "cost_usd") for each in (world.compare(), world.compare("new", "old")))
    assert one.estimate == pytest.approx(np.log(2), abs=0.1)
    assert (-other.high, -other.estimate, -other.low) == pytest.approx((one.low, one.estimate, one.high), abs=1e-9)


Send = Callable[[World], None]


def after_a_test_beside_it(world: World) -> None:
    world.send("old", 60, [30] * 36, cost_usd=around(1))
    world.send("new", 30, [30] * 30, cost_usd=around(1))


def with_a_short_overlap(world: World) -> None:
    world.send("old", 60, [30] * 35, cost_usd=around(1))
    world.send("new", 30, [30] * 30, cost_usd=around(1))


def mostly_in_common_hours(world: World) -> None:
    world.send("old", 60, [30] * 59, cost_usd=around(1))
    world.send("new", 3, [30] * 3, cost_usd=around(1))


def with_a_trickle_left(world: World) -> None:
    world.send("old", 60, [30] * 30 + [3] * 15, cost_usd=around(1))
    world.send("new", 30, [30] * 30, cost_usd=around(1))


@pytest.mark.parametrize(
    ("send", "kind"),
    [
        (after_a_test_beside_it, "side_by_side"),
        (with_a_short_overlap, "before_after"),
        (mostly_in_common_hours, "side_by_side"),
        (with_a_trickle_left, "side_by_side"),
    ],
)
def test_how_versions_are_compared_follows_from_their_common_hours(world: World, send: Send, kind: str):
    send(world)
    assert world.compare().kind == kind


def test_a_version_that_ended_long_before_the_other_began_is_compared_with_nothing(world: World):
    world.send("old", 500, [30] * 200, cost_usd=around(1))
    world.send("new", 30, [30] * 30, cost_usd=around(1))
    found = world.compare()
    assert (found.decision, dict(found.findings), found.events_needed) == ("undecided", {}, None)
    assert (found.baseline.usage, found.baseline.start) == (NOTHING, None)
    assert all(not point.findings for point in history(found))


def test_values_that_are_all_equal_are_not_certain_to_stay_so(world: World):
    for version, latency_ms in (("old", 1_234.5), ("new", 1_357.95)):
        world.send(version, 9, [37] * 9, latency_ms=always(latency_ms), score=always(0.1))
    found = world.compare()
    latency, score = interval_of(found.findings, "latency_ms"), interval_of(found.findings, "score")
    for interval, estimate, one_of_them in ((latency, np.log(1.1), 1.0), (score, 0, 0.1)):
        assert interval.estimate == pytest.approx(estimate, abs=1e-6)
        independent = multiplier(interval.events, found.alpha) * one_of_them * np.sqrt(2) / (37 * 9)
        assert independent <= interval.high - interval.estimate < 1.5 * independent


def test_no_more_than_ninety_days_are_compared(world: World):
    days = [hour for day in range(100) for hour in [20, *[0] * 23]]
    for version in ("old", "new"):
        world.send(version, 2_400, days, cost_usd=around(1))
    found = world.compare()
    assert found.candidate.usage.events == 90 * 20
    assert found.candidate.start == NOON - timedelta(hours=2_400)


def test_minutes_show_how_blocks_scatter_as_long_as_they_are_kept(world: World):
    for version in ("a", "b"):
        world.send(version, 6 * 24, [60] * 9, cost_usd=around(1))
    for version in ("c", "d"):
        world.send(version, 8 * 24, [60] * 9, cost_usd=around(1))
    recent, older = world.compare("a", "b"), world.compare("c", "d")
    assert [each.evidence.fine is None for each in (recent, older)] == [False, True]
    fold_all(world.connection)
    assert world.connection.execute("DELETE FROM rollups WHERE grain = 'minute'").rowcount > 0
    assert dict(world.compare("c", "d").findings) == dict(older.findings)


def test_the_history_ends_with_what_is_known_now(world: World):
    for version in ("old", "new"):
        world.send(version, 120, [9] * 120, latency_ms=around(100), score=passes(0.5))
    found = world.compare()
    points = history(found)
    assert len(points) == 24
    assert points[-1].time == NOON
    assert dict(points[-1].findings) == dict(found.findings)
    events = [point.findings["score"].counts[0] for point in points]
    assert events == sorted(events)
    assert events[0] == 9 * 5


def test_the_rate_of_the_last_day_tells_how_long_it_takes(world: World):
    for version in ("old", "new"):
        world.send(version, 60, [*[40] * 36, *[10] * 24], latency_ms=around(100, 0.9))
    found = world.compare()
    assert found.decision == "undecided"
    assert found.events_needed is not None
    assert found.days_needed == pytest.approx(found.events_needed / (2 * 240))


def test_more_versions_at_once_make_each_claim_more_careful(world: World):
    for version in ("old", "new"):
        world.send(version, 10, [40] * 10, latency_ms=around(100))
    prompt_key = find_prompt(world.connection, world.project_id, PROMPT).prompt_key
    project = world.connection, world.project_id, prompt_key
    chosen = choose_versions(*project, baseline="old", candidate="new")
    one, nine = (
        compare_versions(*project, *chosen, margins=DEFAULT_MARGINS, now=NOW, candidates=candidates)
        for candidates in (1, 9)
    )
    assert one.alpha == pytest.approx(9 * nine.alpha)
    narrow, wide = (interval_of(each.findings, "latency_ms") for each in (one, nine))
    assert wide.low < narrow.low < narrow.estimate < narrow.high < wide.high

import math
import re
from datetime import timedelta
from itertools import pairwise

import pytest

from app.core.analytics.evidence import arm
from app.core.analytics.latency_shares import MAX_BARS, latency_shares
from app.core.analytics.version_comparison import HistoryPoint
from app.web.pages.charts.histogram import build_histogram
from app.web.pages.charts.intervals import Bounds, Scale, interval_chart
from app.web.pages.charts.markers import LONGEST_LABEL, MAX_MARKERS, build_markers
from app.web.pages.charts.paths import BOX_HEIGHT, BOX_WIDTH
from app.web.pages.prompts.comparison_charts import clear_from, latencies_of, shrinking_of
from tests.comparisons import CHANGE, cells, compared, hourly, ratio
from tests.version_cells import version_cells

HOUR = timedelta(hours=1)
PLAIN = Scale(float, float, lambda value: f"{value:g}")
TIMES = [CHANGE + number * HOUR for number in range(4)]
HOURS = [CHANGE + number * HOUR for number in range(25)]


def corners(path: str) -> list[tuple[float, float]]:
    return [(float(across), float(down)) for across, down in re.findall(r"(-?[\d.]+),(-?[\d.]+)", path)]


def test_a_band_shrinks_from_the_left_to_the_right_around_its_line():
    points = [
        Bounds(TIMES[0], None, -math.inf, math.inf),
        *(Bounds(TIMES[n], -0.2, -0.2 - 1 / n, -0.2 + 1 / n) for n in (1, 2, 3)),
    ]
    chart = interval_chart(points, 0.05, None, PLAIN)
    band = corners(chart.band)
    heights = [low[1] - high[1] for high, low in zip(band[:3], reversed(band[3:]), strict=True)]
    assert heights == sorted(heights, reverse=True)
    assert band[0][0] == pytest.approx(BOX_WIDTH / 3, abs=0.1), "what nobody knew is not drawn"
    assert all(down > BOX_HEIGHT / 2 for _, down in corners(chart.line)), "less than nothing is below the middle"
    assert chart.clear_percent is None


def test_margins_lie_around_no_difference_and_what_is_clear_is_marked_when_it_became_so():
    chart = interval_chart([Bounds(time, 0.0, -0.1, 0.1) for time in TIMES], 0.05, TIMES[2], PLAIN)
    assert chart.margin_top + chart.margin_height / 2 == pytest.approx(50)
    assert 0 < chart.margin_height < 100
    assert chart.clear_percent == pytest.approx(66.67)


def test_infinite_ends_stay_in_the_path_as_numbers():
    chart = interval_chart([Bounds(time, 0.0, -math.inf, math.inf) for time in TIMES], 0.05, None, PLAIN)
    assert "inf" not in chart.band + chart.line
    assert "nan" not in chart.band + chart.line


def test_one_moment_alone_is_a_dot():
    assert interval_chart([Bounds(TIMES[0], 0.1, 0.0, 0.2)], 0.05, None, PLAIN).line.endswith("h0")


def test_it_is_clear_since_it_was_without_a_break():
    open_, less, none = ratio(-0.2, 0.1), ratio(-0.2, -0.1), ratio(-0.01, 0.01)

    def since(*findings: object) -> object:
        past = [HistoryPoint(time, {"cost_usd": each}) for time, each in zip(TIMES, findings, strict=True)]  # type: ignore[dict-item]
        return clear_from("cost_usd", past)

    assert since(less, open_, less, less) == TIMES[2]
    assert since(open_, open_, none, less) == TIMES[2]
    assert since(less, less, less, open_) is None


def test_the_small_charts_come_from_what_was_known_at_each_time():
    comparison = compared(
        {}, arms=(hourly(CHANGE, 48, latencies_ms=[800, 1_000] * 20), hourly(CHANGE, 48, latencies_ms=[400, 500] * 20))
    )
    found = shrinking_of(comparison)
    assert found
    assert [multiple.key for multiple in found.multiples] == ["latency_ms", "latency_p95_ms"]
    latency = found.multiples[0]
    assert latency.now.endswith("faster")
    assert latency.clear_from
    assert len(latency.told) == len(found.times)
    assert shrinking_of(compared({}, arms=(hourly(CHANGE, 0), hourly(CHANGE, 5)))) is None


def test_latencies_are_shares_of_their_version_and_few_far_away_ones_are_left_out():
    slow = [100.0] * 500 + [1_000_000.0]
    comparison = compared(
        {}, arms=(hourly(CHANGE, 1, latencies_ms=[100, 200, 200, 400]), hourly(CHANGE, 1, latencies_ms=slow))
    )
    found = latency_shares(comparison.evidence)
    assert found
    assert sum(found.baseline) == pytest.approx(1)
    assert sum(found.candidate) == pytest.approx(500 / 501)
    assert found.edges_ms[-1] < 500
    assert len(found.edges_ms) == len(found.baseline) + 1 <= MAX_BARS + 1
    growth = [after / before for before, after in zip(found.edges_ms, found.edges_ms[1:], strict=False)]
    assert max(growth) == pytest.approx(min(growth))


def test_only_the_hours_that_both_have_are_in_the_picture():
    fast = cells(CHANGE + HOUR, 1, [100.0, 150.0, 250.0])
    both = arm(version_cells([*cells(CHANGE, 1, [5_000.0] * 9), *fast]))
    found = latency_shares(compared({}, arms=(both, arm(version_cells(fast)))).evidence)
    assert found
    assert found.baseline == pytest.approx(found.candidate)


def test_latencies_of_nothing_have_no_picture():
    assert latencies_of(compared({}, arms=(hourly(CHANGE, 0), hourly(CHANGE, 5)))) is None
    zeros = hourly(CHANGE, 2, latencies_ms=[1e-12, 1e-12])
    assert latencies_of(compared({}, arms=(zeros, zeros))) is None


def test_a_histogram_has_round_labels_and_reaches_to_both_sides():
    edges = [100 * 1.1**number for number in range(31)]
    drawn = build_histogram(
        edges, [[1 / 30] * 30, [0.5, *[0.5 / 29] * 29]], lambda value: f"{value:g}", lambda part: f"{part:g}"
    )
    assert [tick.label for tick in drawn.edge_ticks] == ["100", "200", "500", "1000"]
    assert all(
        outline.startswith(f"M0,{BOX_HEIGHT}") and outline.endswith(f"H{BOX_WIDTH:.1f}") for outline in drawn.outlines
    )
    assert drawn.value_ticks[0].label == "0"


def test_the_first_events_of_versions_are_marked_where_their_bucket_begins():
    found = build_markers(HOURS, HOUR, [("v2", CHANGE + timedelta(hours=6, minutes=40)), ("old", CHANGE - HOUR)])
    assert [(marker.name, marker.percent) for marker in found] == [("v2", 25)]


def test_names_of_versions_do_not_lie_on_each_other():
    moments = [
        (f"version number {number} with a name", CHANGE + number * timedelta(minutes=30)) for number in range(1, 48)
    ]
    found = build_markers(HOURS, HOUR, moments)
    assert len(found) == MAX_MARKERS
    named = [marker for marker in found if marker.label]
    assert 0 < len(named) < len(found)
    assert all(len(marker.label) <= LONGEST_LABEL for marker in named)
    assert build_markers(HOURS[:1], HOUR, moments) == []
    spread = build_markers(HOURS, HOUR, [(f"v{number}", CHANGE + number * 2 * HOUR) for number in range(1, 12)])
    ends = [
        (marker.percent, marker.percent + 30) if marker.anchor == "start" else (marker.percent - 30, marker.percent)
        for marker in spread
        if marker.label
    ]
    assert len(ends) > 1
    assert all(earlier[1] <= later[0] for earlier, later in pairwise(ends)), "a name takes a third of a phone"

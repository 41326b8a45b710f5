import itertools
import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.rollups.grains import Grain
from app.core.rollups.time_range import TimeRange
from app.web.pages.charts.chart import Bucket, Chart, Frame, Line, Measure, bucket_name, build_chart
from app.web.pages.charts.histogram import build_histogram
from app.web.pages.charts.measures import COST_PER_EVENT, EVENTS, P95, SCORE
from app.web.pages.charts.paths import BOX_HEIGHT, BOX_WIDTH, line_paths, sparkline
from app.web.pages.charts.scales import MAX_TIME_LABELS, time_ticks, value_steps
from app.web.pages.layout.exact import exact_count, exact_duration, exact_money, exact_score

START = datetime(2026, 3, 1, tzinfo=UTC)
WHOLE = [True] * 10

values_of_a_line = st.lists(st.none() | st.floats(0, 1e12), min_size=1, max_size=40)


def hours(count: int, start: datetime = START) -> list[Bucket]:
    return [Bucket(start + timedelta(hours=number), whole=True) for number in range(count)]


def chart_of(measure: Measure, buckets: Sequence[Bucket], lines: Sequence[Line], interval: Grain = "hour") -> Chart:
    step = timedelta(days=1) if interval == "day" else timedelta(hours=1)
    return build_chart(
        measure, Frame(buckets, interval, TimeRange(buckets[0].start, buckets[-1].start + step, "hour")), lines
    )


@pytest.mark.parametrize(
    ("values", "steps"),
    [
        ([], [0, 0.5, 1]),
        ([5], [0, 2, 4, 6]),
        ([0.00031, 0.0004], [0, 0.0002, 0.0004]),
        ([-3, 4], [-5, -2.5, 0, 2.5, 5]),
        ([0, 0], [0, 0.5, 1]),
    ],
)
def test_an_axis_has_round_steps_from_zero(values: list[float], steps: list[float]):
    assert value_steps(values, from_zero=True) == pytest.approx(steps)


def test_the_axis_is_that_of_the_lines_that_are_not_hidden():
    lines = [Line("small", [1.0, 2.0]), Line("large", [50.0, 90.0], hidden=True)]
    drawn = chart_of(COST_PER_EVENT, hours(2), lines)
    assert drawn.value_ticks[-1].label == "$2.00"
    assert len(drawn.paths) == len(drawn.data["downs"]) == 2, "without JavaScript it can be switched on"
    assert chart_of(COST_PER_EVENT, hours(2), [line._replace(hidden=True) for line in lines]).empty == ""


def test_an_axis_of_scores_begins_where_they_do():
    assert value_steps([0.8, 0.83], from_zero=False) == pytest.approx([0.8, 0.81, 0.82, 0.83])
    assert value_steps([0.8], from_zero=False)[0] > 0


def test_an_axis_of_long_times_has_whole_minutes_and_hours():
    assert value_steps([125_000], from_zero=True, is_time=True) == [0, 60_000, 120_000, 180_000]
    assert value_steps([7_000_000], from_zero=True, is_time=True) == [0, 3_600_000, 7_200_000]


def test_an_axis_of_counts_has_no_halves():
    assert value_steps([1], from_zero=True, is_count=True) == [0, 1]
    assert value_steps([7], from_zero=True, is_count=True) == [0, 3, 6, 9]


@given(st.lists(st.floats(-1e12, 1e12), max_size=9), st.booleans(), st.booleans())
def test_an_axis_holds_every_value_with_few_steps(values: list[float], from_zero: bool, is_time: bool):
    steps = value_steps(values, from_zero=from_zero, is_time=is_time)
    assert 2 <= len(steps) <= 7
    span = steps[-1] - steps[0]
    assert span > 0
    assert all(steps[0] - span * 1e-6 <= value <= steps[-1] + span * 1e-6 for value in values)


@pytest.mark.parametrize(
    ("step", "count"), [(1, 61), (1, 1), (60, 25), (60, 169), (1_440, 31), (1_440, 91), (1_440, 401)]
)
@pytest.mark.parametrize("offset_minutes", [0, 59])
def test_times_are_labelled_sparsely_and_inside(step: int, count: int, offset_minutes: int):
    start = START + timedelta(minutes=offset_minutes if step == 1 else 0)
    ticks = time_ticks([start + timedelta(minutes=step * number) for number in range(count)])
    assert len(ticks) <= MAX_TIME_LABELS
    assert all(0 <= tick.percent <= 100 for tick in ticks)
    if count > 1:
        assert ticks


def test_a_midnight_is_labelled_by_its_date():
    labels = [tick.label for tick in time_ticks([bucket.start for bucket in hours(25, START - timedelta(hours=6))])]
    assert labels == ["18:00", "1\N{NO-BREAK SPACE}Mar", "06:00", "12:00", "18:00"]


def test_a_line_goes_from_the_left_to_the_right_and_up():
    paths = line_paths([0, 5, 10], WHOLE[:3], 0, 10)
    assert paths.solid == "M0,200L500,100 1000,0"
    assert paths.area == "M0,200L500,100 1000,0V200H0Z"
    assert paths.dashed == ""


def test_no_data_leaves_a_gap_and_a_lonely_value_is_a_dot():
    paths = line_paths([1, None, 1, 1], WHOLE[:4], 0, 1)
    assert paths.solid == "M0,0h0M666.7,0L1000,0"


def test_what_leads_to_a_part_of_a_bucket_is_dashed():
    paths = line_paths([1, 1, 1, 1], [False, True, True, False], 0, 1)
    assert (paths.dashed, paths.solid) == ("M0,0L333.3,0M666.7,0L1000,0", "M333.3,0L666.7,0")


@given(values_of_a_line, st.data())
def test_lines_stay_in_their_box(values: list[float | None], data: st.DataObject):
    whole = data.draw(st.lists(st.booleans(), min_size=len(values), max_size=len(values)))
    steps = value_steps([value for value in values if value is not None], from_zero=True)
    for path in line_paths(values, whole, steps[0], steps[-1]):
        for across, down in re.findall(r"(-?[\d.e+]+),(-?[\d.e+]+)", path):
            assert 0 <= float(across) <= BOX_WIDTH
            assert -1 <= float(down) <= BOX_HEIGHT + 1


@pytest.mark.parametrize(
    ("values", "path"), [([], ""), ([0, 0], "M0,200L1000,200"), ([1, 2], "M0,100L1000,0"), ([3], "M500,0h0")]
)
def test_a_sparkline_has_its_own_scale(values: Sequence[float], path: str):
    assert sparkline(values, [True] * len(values)).solid == path


def test_a_sparkline_is_dotted_where_a_bucket_is_a_part():
    assert sparkline([1, 1, 1], [True, True, False]) == ("M0,0L500,0", "M500,0L1000,0", "M0,0L500,0 1000,0V200H0Z")


def test_a_chart_says_in_words_what_it_shows():
    chart = chart_of(EVENTS, hours(3), [Line("Events", [1, 12_345, 7])])
    assert chart.summary == (
        "highest 12,345 (Sun 1 Mar, 01:00\N{EN DASH}02:00), lowest 1 (Sun 1 Mar, 00:00\N{EN DASH}01:00), "
        "last 7 (Sun 1 Mar, 02:00\N{EN DASH}03:00)."
    )


def test_lines_are_told_apart_in_words():
    chart = chart_of(COST_PER_EVENT, hours(2), [Line("v2", [None, 0.5]), Line("v1", [None, None])])
    assert chart.summary.startswith("v2: highest $0.50")
    assert chart.summary.endswith("v1: no data.")


@pytest.mark.parametrize("measure", [EVENTS, P95, SCORE])
def test_every_line_is_dotted_where_a_bucket_is_a_part_and_the_legend_says_so(measure: Measure):
    buckets = [*hours(2), Bucket(START + timedelta(hours=2), whole=False)]
    chart = chart_of(measure, buckets, [Line("v1", [1.0, 2.0, 3.0])])
    assert chart.paths[0].dashed
    assert chart.dotted == "Dotted: an hour that is not over, or not all in the range"
    assert chart_of(measure, hours(3), [Line("v1", [1.0, 2.0, 3.0])]).dotted == ""
    assert chart_of(measure, buckets, [Line("v1", [1.0, 2.0, None])]).dotted == ""


@pytest.mark.parametrize(
    ("measure", "values", "empty"),
    [
        (EVENTS, [0, 0], "No events in this range"),
        (EVENTS, [0, 1], ""),
        (SCORE, [0.0, None], ""),
        (SCORE, [None, None], "No event with a score in this range"),
    ],
)
def test_a_chart_without_data_says_what_is_missing(measure: Measure, values: list[float | None], empty: str):
    chart = chart_of(measure, hours(2), [Line("x", values)])
    assert chart.empty == empty
    assert bool(chart.data["downs"]) is not bool(empty)


def test_the_table_and_the_script_get_the_points_that_are_drawn():
    chart = chart_of(P95, hours(2), [Line("v1", [1_200.0, None])])
    assert chart.rows == [
        ("Sun 1 Mar 2026, 00:00\N{EN DASH}01:00 UTC", ["1,200\N{NO-BREAK SPACE}ms"]),
        ("Sun 1 Mar 2026, 01:00\N{EN DASH}02:00 UTC", ["\N{EN DASH}"]),
    ]
    ((down, gap),) = chart.data["downs"]
    assert gap is None
    assert chart.paths[0].solid == f"M0,{down * BOX_HEIGHT / 100:g}h0"
    minutes = int(START.timestamp()) // 60
    assert {name: chart.data[name] for name in ("start", "step", "first", "last")} == {
        "start": minutes,
        "step": 60,
        "first": minutes,
        "last": minutes + 120,
    }


def test_values_that_are_read_off_have_all_their_digits():
    assert exact_count(12_345_678) == "12,345,678"
    assert exact_money(Decimal("1234.000042100")) == "$1,234.0000421"
    assert exact_money(0.1 + 0.2) == "$0.3"
    assert exact_money(1e-9) == "$0.000000001"
    assert exact_money(Decimal(100)) == "$100"
    assert exact_duration(12_345.678) == "12,350\N{NO-BREAK SPACE}ms"
    assert exact_score(-2 / 3) == "\N{MINUS SIGN}0.666667"
    assert exact_money(None) == exact_score(None) == exact_count(None) == exact_duration(None) == "\N{EN DASH}"


def test_a_day_is_named_without_hours_and_a_part_as_such():
    assert bucket_name(Bucket(START, whole=True), "day") == "Sun 1 Mar"
    assert bucket_name(Bucket(START, whole=False), "minute") == "Sun 1 Mar, 00:00, in part"


@given(st.floats(1e-3, 1e6), st.floats(1.02, 1e5), st.integers(2, 36))
def test_the_labels_of_a_distribution_have_room(first: float, growth: float, bars: int):
    edges = [first * growth ** (number / bars) for number in range(bars + 1)]
    percents = [tick.percent for tick in build_histogram(edges, [[1 / bars] * bars], str, str).edge_ticks]
    assert percents
    assert all(0 <= percent <= 100.01 for percent in percents)
    assert all(after - before >= 15.9 for before, after in itertools.pairwise(percents))

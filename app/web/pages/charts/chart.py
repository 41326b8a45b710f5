"""Charts as inline SVG, with the same values as a table beside it.

A drawing is as wide as its place: positions along time are per cent, and only the lines are stretched. So text and
strokes keep their size on a phone. Where its points lie is worked out here alone: `static/charts.js`, which tells their
values to whoever points at them or moves along them by keyboard, gets positions, and its words from the table.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from app.core.rollups.grains import GRAIN_SECONDS, Grain
from app.core.rollups.time_range import TimeRange
from app.web.pages.charts.markers import Marker, build_markers
from app.web.pages.charts.paths import Paths, line_paths, percent_down
from app.web.pages.charts.scales import Tick, time_ticks, value_steps
from app.web.pages.layout.formatting import Number


class Measure(NamedTuple):
    """What a chart shows, and how it writes its values: `format` on the axis, `exact` where they are read.

    `column`: its name in a CSV. `nothing`: what is said where it has no values. `from_zero`: the axis begins at 0, else
    where the values do. `is_time`: in milliseconds. `is_count`: whole numbers. `is_sum`: of all events in a bucket.
    """

    key: str
    title: str
    column: str
    format: Callable[[Number | None], str]
    exact: Callable[[Number | None], str]
    nothing: str
    from_zero: bool = True
    is_time: bool = False
    is_count: bool = False
    is_sum: bool = False


class Bucket(NamedTuple):
    """A place on the axis of time; `whole` as in `app.core.analytics.period.Point`."""

    start: datetime
    whole: bool


class Frame(NamedTuple):
    """What all charts of a page have in common: buckets of `interval`, which hold all of a range."""

    buckets: Sequence[Bucket]
    interval: Grain
    time_range: TimeRange


class Line(NamedTuple):
    """A line; None where there is no data. `key` tells it from those of the same name.

    One that is `hidden` can be switched on; the axis is that of the others.
    """

    name: str
    values: Sequence[Number | None]
    key: str = ""
    hidden: bool = False


@dataclass(frozen=True, slots=True)
class Chart:
    """A chart: its drawing, what it says to people who do not see it, its values, and `data` for the script.

    `paths` are in the order of `lines`. `rows` have a bucket each, by its name, with the values of all lines. `note`
    says which lines there are, `dotted` what is dotted, `empty` why there is nothing to see; each may be empty.
    """

    key: str
    title: str
    summary: str
    lines: list[Line]
    paths: list[Paths]
    filled: bool
    markers: list[Marker]
    value_ticks: list[Tick]
    time_ticks: list[Tick]
    rows: list[tuple[str, list[str]]]
    note: str
    dotted: str
    empty: str
    data: dict[str, Any]


def build_chart(
    measure: Measure,
    frame: Frame,
    lines: Sequence[Line],
    moments: Sequence[tuple[str, datetime]] = (),
    note: str = "",
) -> Chart:
    """The chart of some lines. The area below a single line of sums is filled.

    `moments` are the first events of versions by their names; those within the chart are marked.
    """
    buckets, interval, time_range = frame
    values = [[None if value is None else float(value) for value in line.values] for line in lines]
    known = [value for line in values for value in line if value is not None]
    told = [value for line in lines if not line.hidden for value in line.values if value is not None]
    steps = value_steps(
        list(map(float, told)), from_zero=measure.from_zero, is_time=measure.is_time, is_count=measure.is_count
    )
    low, high = steps[0], steps[-1]
    whole = [bucket.whole for bucket in buckets]
    starts = [bucket.start for bucket in buckets]
    markers = build_markers(starts, timedelta(seconds=GRAIN_SECONDS[interval]), moments)
    paths = [line_paths(line, whole, low, high) for line in values]
    has_data = any(known) if measure.is_sum else bool(known)
    return Chart(
        key=measure.key,
        title=measure.title,
        summary=" ".join([_summary(measure, buckets, interval, lines), *map(_told, markers)]),
        lines=list(lines),
        paths=paths,
        filled=measure.is_sum and len(lines) == 1,
        markers=markers,
        value_ticks=[Tick(round(100 * (step - low) / (high - low), 2), measure.format(step)) for step in steps],
        time_ticks=time_ticks(starts),
        rows=[
            (_full_name(bucket, interval), [measure.exact(line.values[place]) for line in lines])
            for place, bucket in enumerate(buckets)
        ],
        note=note,
        dotted=dotted_words(interval) if any(line.dashed for line in paths) else "",
        empty="" if has_data else measure.nothing,
        data={
            "start": _minutes(starts[0]),
            "step": GRAIN_SECONDS[interval] // 60,
            "first": _minutes(time_range.start),
            "last": _minutes(time_range.end),
            "downs": [[percent_down(value, low, high) for value in line] for line in values] if has_data else [],
            "moments": [[starts.index(marker.start), _told(marker)] for marker in markers],
        },
    )


def dotted_words(interval: Grain) -> str:
    """The legend of what is dotted."""
    return f"Dotted: {'an' if interval == 'hour' else 'a'} {interval} that is not over, or not all in the range"


def bucket_name(bucket: Bucket, interval: Grain) -> str:
    """In a sentence: "Sun 1 Mar, 01:00"."""
    start = bucket.start
    return f"{start:%a} {start.day} {start:%b}{_clock(start, interval)}{_part(bucket)}"


def _full_name(bucket: Bucket, interval: Grain) -> str:
    """On its own: "Sun 1 Mar 2026, 01:00 UTC"."""
    start = bucket.start
    return f"{start:%a} {start.day} {start:%b} {start.year}{_clock(start, interval)} UTC{_part(bucket)}"


def _clock(start: datetime, interval: Grain) -> str:
    if interval == "day":
        return ""
    end = f"\N{EN DASH}{start + timedelta(seconds=GRAIN_SECONDS[interval]):%H:%M}" if interval == "hour" else ""
    return f", {start:%H:%M}{end}"


def _part(bucket: Bucket) -> str:
    return "" if bucket.whole else ", in part"


def _minutes(time: datetime) -> int:
    """Since the epoch."""
    return int(time.timestamp()) // 60


def _told(marker: Marker) -> str:
    return f"{marker.name} first seen {marker.time:%Y-%m-%d %H:%M} UTC."


def _summary(measure: Measure, buckets: Sequence[Bucket], interval: Grain, lines: Sequence[Line]) -> str:
    return " ".join(_sentence(measure, buckets, interval, line, alone=len(lines) == 1) for line in lines)


def _sentence(measure: Measure, buckets: Sequence[Bucket], interval: Grain, line: Line, *, alone: bool) -> str:
    subject = "" if alone else f"{line.name}: "
    known = [(value, bucket) for value, bucket in zip(line.values, buckets, strict=True) if value is not None]
    if not known:
        return f"{subject}no data."
    least, most = min(known), max(known)
    named = [(measure.format(value), bucket_name(bucket, interval)) for value, bucket in (most, least, known[-1])]
    (highest, highest_at), (lowest, lowest_at), (last, last_at) = named
    return f"{subject}highest {highest} ({highest_at}), lowest {lowest} ({lowest_at}), last {last} ({last_at})."

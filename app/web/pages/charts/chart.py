"""Charts as inline SVG, which is what is seen first and without JavaScript, and as data for an interactive one.

A drawing is as wide as its place: positions along time are per cent, and only the lines are stretched. So text and
strokes keep their size on a phone.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from app.core.rollups.grains import GRAIN_SECONDS, Grain
from app.web.pages.charts.markers import Marker, build_markers
from app.web.pages.charts.paths import Paths, line_paths
from app.web.pages.charts.scales import Tick, time_ticks, value_steps


class Measure(NamedTuple):
    """What a chart shows, and how it writes its values.

    `from_zero`: the axis begins at 0, else where the values do. `is_time`: in milliseconds. `is_count`: whole numbers.
    `is_sum`: of all events in a bucket, so that a bucket that is not over yet has too little of it.
    """

    key: str
    title: str
    format: Callable[[float | None], str]
    from_zero: bool = True
    is_time: bool = False
    is_count: bool = False
    is_sum: bool = False


class Bucket(NamedTuple):
    """A place on the axis of time; `whole` as in `app.core.analytics.period.Point`."""

    start: datetime
    whole: bool


class Line(NamedTuple):
    """A line; None where there is no data."""

    name: str
    values: Sequence[float | None]


@dataclass(frozen=True, slots=True)
class Chart:
    """A chart: its drawing, what it says to people who do not see it, and `data` for the interactive one.

    `paths` are in the order of the names of the lines.
    """

    key: str
    title: str
    summary: str
    names: list[str]
    paths: list[Paths]
    filled: bool
    markers: list[Marker]
    value_ticks: list[Tick]
    time_ticks: list[Tick]
    has_data: bool
    data: dict[str, Any]


def build_chart(
    measure: Measure,
    buckets: Sequence[Bucket],
    interval: Grain,
    lines: Sequence[Line],
    moments: Sequence[tuple[str, datetime]] = (),
) -> Chart:
    """The chart of some lines over the same buckets. The area below a single line of sums is filled.

    `moments` are the first events of versions by their names; those within the chart are marked.
    """
    known = [value for line in lines for value in line.values if value is not None]
    steps = value_steps(known, from_zero=measure.from_zero, is_time=measure.is_time, is_count=measure.is_count)
    low, high = steps[0], steps[-1]
    whole = [bucket.whole or not measure.is_sum for bucket in buckets]
    filled = measure.is_sum and len(lines) == 1
    starts = [bucket.start for bucket in buckets]
    markers = build_markers(starts, timedelta(seconds=GRAIN_SECONDS[interval]), moments)
    return Chart(
        key=measure.key,
        title=measure.title,
        summary=" ".join([_summary(measure, buckets, interval, lines), *map(_told, markers)]),
        names=[line.name for line in lines],
        paths=[line_paths(line.values, whole, low, high) for line in lines],
        filled=filled,
        markers=markers,
        value_ticks=[Tick(round(100 * (step - low) / (high - low), 2), measure.format(step)) for step in steps],
        time_ticks=time_ticks(starts),
        has_data=any(known) if measure.is_sum else bool(known),
        data={
            "filled": filled,
            "x": [f"{start:%Y-%m-%d %H:%M}" for start in starts],
            "markers": [
                {"x": f"{marker.start:%Y-%m-%d %H:%M}", "label": marker.label, "anchor": marker.anchor}
                for marker in markers
            ],
            "hover": "%a %-d %b %Y" if interval == "day" else "%a %-d %b, %H:%M UTC",
            "whole": whole,
            "steps": steps,
            "labels": [measure.format(step) for step in steps],
            "lines": [
                {"name": line.name, "y": list(line.values), "text": [measure.format(value) for value in line.values]}
                for line in lines
            ],
        },
    )


def bucket_name(bucket: Bucket, interval: Grain) -> str:
    start = bucket.start
    name = f"{start:%a} {start.day} {start:%b}"
    if interval != "day":
        name += f", {start:%H:%M}"
    if interval == "hour":
        name += f"\N{EN DASH}{start + timedelta(seconds=GRAIN_SECONDS[interval]):%H:%M}"
    return name if bucket.whole else f"{name}, in part"


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

"""The charts of a project over time, and their values as CSV."""

from collections.abc import Collection
from datetime import UTC, datetime
from typing import NamedTuple

from flask import request
from werkzeug.wrappers import Response

from app.core.analytics.latency_shares import NO_LATENCIES
from app.core.analytics.period import Period, read_latencies, read_points
from app.core.queries.changed_prompts import VersionBegan
from app.core.rollups.rollup import WHOLE
from app.core.visible_text import version_label, visible_text
from app.web.pages.access.blueprint import page_blueprint
from app.web.pages.access.guards import signed_in
from app.web.pages.charts.chart import Chart, Line, Measure, build_chart
from app.web.pages.charts.measures import COST, EVENTS, LATENCY, OF_VERSIONS, SCORE, ValueOf, frame_of
from app.web.pages.charts.series_csv import BUCKET_COLUMNS, asked_range, bucket_cells, latencies_csv, no_such_chart
from app.web.pages.layout.csv_download import csv_response
from app.web.reading import ask_snapshot
from app.web.request_context import visitor


class Plot(NamedTuple):
    """What a chart shows: by the name of each line what it is, and its values."""

    measure: Measure
    lines: dict[str, tuple[Measure, ValueOf]]


PLOTS = (
    Plot(EVENTS, {"Events": OF_VERSIONS["events"]}),
    Plot(COST, {"Cost": (COST, lambda usage: usage.cost_usd.sum or 0)}),
    Plot(LATENCY, {"p50": OF_VERSIONS["p50"], "p95": OF_VERSIONS["p95"]}),
    Plot(SCORE, {"Mean score": OF_VERSIONS["score"]}),
)

blueprint = page_blueprint("project_charts")


def project_charts(period: Period, began: list[VersionBegan], *, hidden: Collection[str]) -> list[Chart]:
    """Those with data first; `hidden` are the names of lines that are not to be seen."""
    moments = [(_name(version), version.first_seen) for version in began]
    frame = frame_of(period)
    charts = [
        build_chart(
            plot.measure,
            frame,
            [
                Line(name, [value_of(point.usage) for point in period.series], hidden=name in hidden)
                for name, (_, value_of) in plot.lines.items()
            ],
            moments,
        )
        for plot in PLOTS
    ]
    return sorted(charts, key=lambda chart: bool(chart.empty))


@blueprint.get("/dashboard/chart.csv")
@signed_in()
def chart_csv() -> Response:
    """`chart` names it, else it is the first; 404 for one that is not there, 400 for a range that makes no sense."""
    now = datetime.now(UTC)
    shown = asked_range(now)
    key = request.args.get("chart", PLOTS[0].measure.key)
    plot = next((each for each in PLOTS if each.measure.key == key), None)
    if plot is None:
        raise no_such_chart()
    points = ask_snapshot(read_points, visitor().project_id, WHOLE, shown.time_range, interval=shown.interval, now=now)
    values = [value_of for _, value_of in plot.lines.values()]
    rows = (
        [*cells, *(value_of(point.usage) for value_of in values)]
        for point, cells in bucket_cells(points, shown.interval)
    )
    columns = [measure.column for measure, _ in plot.lines.values()]
    return csv_response(f"{plot.measure.key}.csv", [*BUCKET_COLUMNS, *columns], rows)


@blueprint.get("/dashboard/latencies.csv")
@signed_in()
def latencies() -> Response:
    """The bars of the distribution; 400 for a range that makes no sense."""
    shown = asked_range(datetime.now(UTC))
    found = ask_snapshot(read_latencies, visitor().project_id, WHOLE, shown.time_range) or NO_LATENCIES
    return latencies_csv("latencies.csv", found.edges_ms, share=found.shares)


def _name(version: VersionBegan) -> str:
    label = version_label(version.version_hash, version.name)
    return f"{label} of {visible_text(version.prompt_name or str(version.prompt_id))}"

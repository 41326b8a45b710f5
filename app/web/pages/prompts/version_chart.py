"""The versions of a prompt over time, and their values as CSV."""

import heapq
from collections.abc import Callable, Collection, Iterator, Mapping
from datetime import UTC, datetime
from typing import TypeVar
from uuid import UUID

from flask import request
from werkzeug.wrappers import Response

from app.core.analytics.latency_shares import NO_LATENCIES
from app.core.analytics.prompt_overview import (
    PromptOverview,
    read_prompt_latencies,
    read_version_lines,
)
from app.core.analytics.prompt_versions import VersionSummary
from app.core.analytics.usage import Usage
from app.core.visible_text import version_label
from app.web.pages.access.blueprint import page_blueprint
from app.web.pages.access.guards import signed_in
from app.web.pages.charts.chart import Chart, Line, build_chart
from app.web.pages.charts.markers import MAX_MARKERS
from app.web.pages.charts.measures import OF_VERSIONS, frame_of
from app.web.pages.charts.series_csv import BUCKET_COLUMNS, asked_range, bucket_cells, latencies_csv, no_such_chart
from app.web.pages.layout.csv_download import csv_response
from app.web.pages.layout.formatting import count
from app.web.pages.prompts.addresses import Address, read_address, versions_looked_up
from app.web.reading import ask_snapshot
from app.web.request_context import visitor

blueprint = page_blueprint("version_chart")


_Found = TypeVar("_Found")


def asked_at(read: Callable[..., _Found], prompt_id: UUID, address: Address) -> _Found:
    """What `read` reads for the page of a prompt.

    Raises NotFound for a prompt never used, a 404 for what is no version.
    """
    with versions_looked_up():
        return ask_snapshot(
            read,
            visitor().project_id,
            prompt_id,
            address.shown.time_range,
            interval=address.shown.interval,
            now=address.now,
            choice=address.choice,
            shown=address.shown_versions,
        )


def metric_of(asked: str | None, totals: Usage) -> str:
    """What the chart shows: what was asked for, else the first measure that has data."""
    if asked is not None:
        return asked
    return next(
        (key for key, (_, value_of) in OF_VERSIONS.items() if value_of(totals) is not None), next(iter(OF_VERSIONS))
    )


def versions_chart(
    found: PromptOverview, metric: str, labels: Mapping[str, str], *, hidden: Collection[str] = ()
) -> Chart:
    """`labels` are those of the page, by hash; `hidden` the hashes of those whose lines are not to be seen."""
    measure, value_of = OF_VERSIONS[metric]
    lines = [
        Line(
            labels[line.version_hash],
            [value_of(usage) for usage in line.usages],
            line.version_hash,
            line.version_hash in hidden,
        )
        for line in found.lines
    ]
    begin = found.period.series[0].start
    inside = (version for version in found.listed.rows if version.first_seen > begin)
    began = heapq.nlargest(MAX_MARKERS, inside, key=_first_seen)
    moments = [
        (labels.get(version.version_hash) or version_label(version.version_hash, version.name), version.first_seen)
        for version in began
    ]
    return build_chart(measure, frame_of(found.period), lines, moments, _note(found))


@blueprint.get("/dashboard/prompts/<uuid:prompt_id>/chart.csv")
@signed_in()
def chart_csv(prompt_id: UUID) -> Response:
    """The lines of the chart of the same address, each bucket of each version in a row.

    404 for what the chart cannot show, and as the page; 400 for a range that makes no sense.
    """
    asked_range(datetime.now(UTC))
    address = read_address()
    if address.metric is None and "metric" in request.args:
        raise no_such_chart()
    found = asked_at(read_version_lines, prompt_id, address)
    measure, value_of = OF_VERSIONS[metric_of(address.metric, found.totals)]

    def rows() -> Iterator[list[object]]:
        for line in found.lines:
            cells = bucket_cells(found.series, found.interval)
            for (_, bucket), usage in zip(cells, line.usages, strict=True):
                yield [line.version_hash, line.name, *bucket, value_of(usage)]

    header = ["version_hash", "version_name", *BUCKET_COLUMNS, measure.column]
    return csv_response(f"{measure.key}-{prompt_id}.csv", header, rows())


@blueprint.get("/dashboard/prompts/<uuid:prompt_id>/latencies.csv")
@signed_in()
def latencies(prompt_id: UUID) -> Response:
    """The bars of the distribution; 404 for a prompt or a version that is not there, 400 for a senseless range."""
    shown, address = asked_range(datetime.now(UTC)), read_address()
    with versions_looked_up():
        found = ask_snapshot(
            read_prompt_latencies, visitor().project_id, prompt_id, shown.time_range, address.shown_versions
        )
    found = found or NO_LATENCIES
    return latencies_csv(f"latencies-{prompt_id}.csv", found.edges_ms, share=found.shares)


def _first_seen(version: VersionSummary) -> datetime:
    return version.first_seen


def _note(found: PromptOverview) -> str:
    """Which versions have a line, where not all have."""
    in_range = {version.version_hash for version in found.listed.rows}
    all_of_them = len(in_range | {line.version_hash for line in found.lines})
    if len(found.lines) == all_of_them and not found.listed.truncated:
        return ""
    total = f"more than {count(all_of_them)}" if found.listed.truncated else count(all_of_them)
    first = "the two that are compared, then " if found.comparison and not found.only else ""
    return f"{len(found.lines)} of {total} versions: {first}the newest"

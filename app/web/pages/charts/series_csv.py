"""The values of a chart as CSV: those that it draws, with all their digits, and times in UTC."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from flask import Response, request

from app.core.analytics.period import Point
from app.core.rollups.grains import GRAIN_SECONDS, Grain
from app.web.pages.layout.csv_download import csv_response
from app.web.pages.layout.errors import PageError
from app.web.pages.layout.ranges import PageRange, read_range

BUCKET_COLUMNS = ("bucket_start", "bucket_end", "complete")
"""`complete`: whether the bucket is over, and all of it lies in the range."""


def asked_range(now: datetime) -> PageRange:
    """Raises a 400 for one that makes no sense: a file has no place to say that it is about another one."""
    shown = read_range(request.args, now)
    if shown.problem is not None:
        raise PageError(400, "VALIDATION_ERROR", "There is no such range", shown.problem)
    return shown


def no_such_chart() -> PageError:
    return PageError(
        404, "NOT_FOUND", "There is no such chart", "The address names a chart that this page does not have."
    )


def latencies_csv(file_name: str, edges_ms: Sequence[float], **shares: Sequence[float]) -> Response:
    """The bars of a histogram: the shares of each group, by its name in the header, between edges in milliseconds."""
    rows = zip(edges_ms, edges_ms[1:], *shares.values(), strict=False)
    return csv_response(file_name, ["from_ms", "to_ms", *shares], rows)


def bucket_cells(points: Sequence[Point], interval: Grain) -> Iterator[tuple[Point, list[object]]]:
    """Each bucket with what stands in BUCKET_COLUMNS."""
    step = timedelta(seconds=GRAIN_SECONDS[interval])
    for point in points:
        yield point, [point.start, point.start + step, "yes" if point.whole else "no"]

"""Raw events of a range as CSV, streamed; /dashboard/events.csv: those of a project."""

from collections.abc import Callable, Generator, Iterator
from datetime import UTC, datetime, timedelta

from flask import Response as FlaskResponse
from werkzeug.wrappers import Response

from app.core.analytics.event_download import iterate_events
from app.core.queries.raw_events import EventsOf, RawEvent
from app.web.pages.access.blueprint import page_blueprint
from app.web.pages.access.guards import signed_in
from app.web.pages.charts.series_csv import asked_range
from app.web.pages.dashboard.download_slots import DownloadSlots
from app.web.pages.layout.csv_download import csv_response
from app.web.pages.layout.errors import PageError
from app.web.reading import url_to_read
from app.web.request_context import visitor

LONGEST_RANGE = timedelta(days=31)
DOWNLOADS_AT_ONCE = 2
"""In each web process: each has a connection to PostgreSQL that is not of the pool."""
STALLED_AFTER_SECONDS = 45.0
"""Longer than PostgreSQL waits before it ends the connection of one who does not read."""
RETRY_SECONDS = 10

_slots = DownloadSlots(DOWNLOADS_AT_ONCE, stalled_after_seconds=STALLED_AFTER_SECONDS)

blueprint = page_blueprint("raw_events")


@blueprint.get("/dashboard/events.csv")
@signed_in()
def events_csv() -> Response:
    """Those of the project, as `download` sends them."""
    return download(lambda: EventsOf(visitor().project_id), "events")


def download(find: Callable[[], EventsOf], name: str) -> Response:
    """One row for each event, oldest first. 400 for a range that is too long, 429 while others are downloading.

    `find` says whose; it is asked once the range makes sense. Where PostgreSQL fails in the middle, the answer breaks
    off, and the browser says that the download failed.
    """
    shown = asked_range(datetime.now(UTC))
    # the edges of a range are cut to whole hours, which adds up to one at each end
    if shown.time_range.end - shown.time_range.start > LONGEST_RANGE + timedelta(hours=2):
        raise PageError(
            400,
            "VALIDATION_ERROR",
            "That range is too long",
            f"Raw events are downloaded for at most {LONGEST_RANGE.days} days at a time. Choose a shorter range.",
        )
    whose = find()
    slot = _slots.take()
    if slot is None:
        raise PageError(
            429,
            "RATE_LIMITED",
            "Others are downloading",
            "Only a few downloads of raw events can run at once. Try again in a moment.",
            retry_after_seconds=RETRY_SECONDS,
        )
    events = iterate_events(url_to_read(), whose, shown.time_range)
    file_name = f"{name}-{shown.time_range.start:%Y%m%dT%H%M}-{shown.time_range.end:%Y%m%dT%H%M}.csv"
    return _streamed(events, slot, file_name)


def _streamed(events: Generator[RawEvent, None, None], slot: object, file_name: str) -> FlaskResponse:
    """The download. Its slot ends with it, however it ends."""
    try:
        # An error at the beginning is still an answer of its own.
        first = next(events, None)
    except BaseException:
        _slots.end(slot)
        raise

    def rows() -> Iterator[RawEvent]:
        if first is None:
            return
        yield first
        for event in events:
            yield event
            _slots.progress(slot)

    def end() -> None:
        _slots.end(slot)
        events.close()

    answer = csv_response(file_name, RawEvent._fields, rows())
    answer.call_on_close(end)
    return answer

"""All raw events of a range, of a project, a prompt or some of its versions, over a connection of their own."""

from collections.abc import Generator
from datetime import UTC, datetime, timedelta

from app.core.database import connected
from app.core.errors import DatabaseUnavailable
from app.core.queries.raw_events import EventsOf, RawEvent, iterate_events_of_day, set_longest_pause
from app.core.rollups.time_range import TimeRange, bucket_starts

STATEMENT_TIMEOUT_MS = 120_000
LONGEST_DOWNLOAD = timedelta(minutes=15)
"""A reader that is slower than this loses its connection, so that none is held for ever."""
LONGEST_PAUSE_SECONDS = 30.0


def iterate_events(
    database_url: str, whose: EventsOf, time_range: TimeRange, *, longest_pause_seconds: float = LONGEST_PAUSE_SECONDS
) -> Generator[RawEvent, None, None]:
    """The events in the order of their times. Connects at the first one; close it, or read it to its end.

    Each day is as of the moment in which its first event is read. Raises DatabaseUnavailable, also when the reader
    takes longer than LONGEST_DOWNLOAD, or leaves PostgreSQL waiting for `longest_pause_seconds`.
    """
    until = datetime.now(UTC) + LONGEST_DOWNLOAD
    with connected(
        database_url, application_name="pa-download", statement_timeout_ms=STATEMENT_TIMEOUT_MS
    ) as connection:
        set_longest_pause(connection, longest_pause_seconds)
        for day in bucket_starts(time_range, "day"):
            for event in iterate_events_of_day(
                connection, whose, day.date(), start=time_range.start, end=time_range.end
            ):
                yield event
                if datetime.now(UTC) > until:
                    raise DatabaseUnavailable("a download took too long")

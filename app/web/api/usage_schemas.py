"""What the read API takes."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, cast

from marshmallow import RAISE, Schema, ValidationError, fields, validate
from werkzeug.datastructures import MultiDict

from app.core.time_range import (
    FROM_COARSE_TO_FINE,
    LONGEST_BY_MINUTE,
    LONGEST_RANGE,
    MAX_POINTS,
    MINUTES_KEPT,
    Grain,
    TimeRange,
    answerable_range,
    default_interval,
    has_points_for,
)
from app.web.api.schemas import PromptId, load
from app.web.errors import ApiError, Detail, validation_error

DEFAULT_RANGE = timedelta(hours=24)
EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
LATEST = datetime(2100, 1, 1, tzinfo=UTC)

_INTERVALS = tuple(reversed(FROM_COARSE_TO_FINE))
_ISO_8601 = re.compile(
    r"\d{4}-\d\d-\d\d[Tt]([01]\d|2[0-3]):\d\d(:\d\d(\.\d{1,9})?)?([Zz]|[+-]\d\d:\d\d)",
    re.ASCII,
)


class Instant(fields.AwareDateTime):
    """A time in ISO 8601 with its offset, as a datetime in UTC. The stock field takes more than that."""

    default_error_messages = {
        "invalid": "Must be an ISO 8601 time with an offset, such as 2026-01-31T12:00:00Z (a + is written %2B).",
        "out_of_range": f"Must lie between the years {EARLIEST.year} and {LATEST.year}.",
    }

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> datetime:
        if not isinstance(value, str) or not _ISO_8601.fullmatch(value):
            raise self.make_error("invalid")
        try:
            time = datetime.fromisoformat(value.upper()).astimezone(UTC)
        except ValueError:
            raise self.make_error("invalid") from None
        except OverflowError:
            raise self.make_error("out_of_range") from None
        if not EARLIEST <= time <= LATEST:
            raise self.make_error("out_of_range")
        return time


class UsageQuerySchema(Schema):
    """The query string of the read API."""

    class Meta:
        unknown = RAISE

    error_messages = {"unknown": "Unknown parameter."}

    start = Instant(
        data_key="from",
        metadata={"description": "Beginning of the range; by default 24 hours before its end."},
    )
    end = Instant(
        data_key="to",
        metadata={"description": "End of the range, not part of it; by default now. At most 400 days after `from`."},
    )
    interval = fields.String(
        validate=validate.OneOf(_INTERVALS, error="Must be one of: {choices}."),
        metadata={
            "description": (
                f"Length of a point of the series; by default one that suits the range. At most {MAX_POINTS:,} points."
            )
        },
    )


@dataclass(frozen=True, slots=True)
class UsageQuery:
    """A question that the rollups can answer."""

    time_range: TimeRange
    interval: Grain


_QUERY = UsageQuerySchema()
_PROMPT_ID = PromptId()


def read_query(arguments: "MultiDict[str, str]", now: datetime) -> UsageQuery:
    """The question in a query string. Raises a 400 that names every bad parameter."""
    repeated = sorted(name for name, values in arguments.lists() if len(values) > 1)
    if repeated:
        raise validation_error([Detail(field=name, message="Must be given once.") for name in repeated])
    values = load(_QUERY, arguments.to_dict())
    end = values.get("end", now)
    start = values.get("start", end - DEFAULT_RANGE)
    if start >= end:
        raise _refusal("from", "Must be before to.")
    if end - start > LONGEST_RANGE:
        raise _refusal("from", f"Must be at most {LONGEST_RANGE.days} days before to.")
    time_range = answerable_range(start, end, now)
    interval = cast(Grain, values.get("interval", default_interval(time_range)))
    if not has_points_for(time_range, interval):
        hours, days = LONGEST_BY_MINUTE // timedelta(hours=1), MINUTES_KEPT.days
        message = (
            f"Is too fine for this range: there are at most {MAX_POINTS:,} points, and minutes only for ranges "
            f"of at most {hours} hours that begin within the last {days} days."
        )
        raise _refusal("interval", message)
    return UsageQuery(time_range, interval)


def read_prompt_id(text: str) -> Any:
    """The prompt id in a path. Raises a 400 where it is not a UUID in the 8-4-4-4-12 form."""
    try:
        return _PROMPT_ID.deserialize(text)
    except ValidationError as error:
        raise _refusal("prompt_id", str(error.messages[0])) from None


def _refusal(field: str, message: str) -> ApiError:
    return validation_error([Detail(field=field, message=message)])

"""What the read API takes."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, cast

from marshmallow import RAISE, Schema, ValidationError, fields, validate
from werkzeug.datastructures import MultiDict

from app.core.rollups.grains import FROM_COARSE_TO_FINE, Grain
from app.core.rollups.time_range import (
    LONGEST_BY_MINUTE,
    LONGEST_RANGE,
    MAX_POINTS,
    MINUTES_KEPT,
    TimeRange,
    answerable_range,
    default_interval,
    has_points_for,
)
from app.web.api.schemas import PromptId, load
from app.web.api.times import Instant
from app.web.envelope import Detail
from app.web.errors import ApiError, validation_error

DEFAULT_RANGE = timedelta(hours=24)

_INTERVALS = tuple(reversed(FROM_COARSE_TO_FINE))


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
    values = load_query(_QUERY, arguments)
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


def load_query(schema: Schema, arguments: "MultiDict[str, str]") -> dict[str, Any]:
    """The parameters of a query string. Raises a 400 that names every bad one, and those that come twice."""
    repeated = sorted(name for name, values in arguments.lists() if len(values) > 1)
    if repeated:
        raise validation_error([Detail(field=name, message="Must be given once.") for name in repeated])
    return load(schema, arguments.to_dict())


def read_prompt_id(text: str) -> Any:
    """The prompt id in a path. Raises a 400 where it is not a UUID in the 8-4-4-4-12 form."""
    try:
        return _PROMPT_ID.deserialize(text)
    except ValidationError as error:
        raise _refusal("prompt_id", str(error.messages[0])) from None


def _refusal(field: str, message: str) -> ApiError:
    return validation_error([Detail(field=field, message=message)])

"""What the API takes: a JSON decoder that keeps every digit, and marshmallow fields that guess nothing.

The stock fields are kinder than the contract: they take "12", "1_000" and full-width digits for numbers, braces
and urn: for UUIDs, NUL and lone surrogates for text.
"""

import json
import re
from collections.abc import Iterable
from decimal import Decimal
from functools import lru_cache
from typing import Any, NoReturn
from uuid import UUID

import gevent
from marshmallow import EXCLUDE, Schema, ValidationError, fields, validate

from app.core.contract import LONGEST_VERSION_HASH
from app.web.api.times import RecentTime
from app.web.envelope import Detail
from app.web.errors import validation_error
from app.web.fast.ingest import FastLoading

BATCH_SIZE = 1_000
EVENTS_AT_A_STRETCH = 50
SHORTEST_PAUSE_SECONDS = 0.000_001
LARGEST_NUMBER = 10**12
MAX_DECIMAL_PLACES = 400
"""More than any double needs, and what the buffer's decoder still takes."""
MAX_EXPONENT = 20

_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII | re.IGNORECASE)
_CONTROL_CHARACTERS_OR_SURROGATES = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")


def _refuse_constant(_: str) -> NoReturn:
    raise ValueError("NaN and Infinity are not JSON")


_DECODER = json.JSONDecoder(parse_float=Decimal, parse_constant=_refuse_constant)


def decode_json(body: bytes) -> Any:
    """A JSON value; numbers are int or Decimal, exactly as written. Raises a 400 for anything else.

    Not orjson: it makes floats of numbers, and a cost must keep its digits.
    """
    try:
        return _DECODER.decode(body.decode())
    except (ValueError, ArithmeticError, RecursionError):
        # ValueError: not UTF-8, not JSON, an integer of thousands of digits; ArithmeticError: an exponent
        # beyond what Decimal holds; RecursionError: nested too deeply. Their messages may quote the body.
        message = "The body is not JSON in UTF-8, or its numbers or its depth are out of all bounds."
        raise validation_error([Detail(field="body", message=message)]) from None


def load(schema: Schema, value: Any) -> dict[str, Any]:
    """The validated fields of a value. Raises a 400 that names every bad field."""
    try:
        loaded: dict[str, Any] = schema.load(value)
    except ValidationError as error:
        raise validation_error(list(_details(error.messages))) from None
    return loaded


def _details(messages: Any, outer: str = "") -> Iterable[Detail]:
    """What marshmallow says, which nests as the body does: `{"events": {3: {"score": […]}}}` is events[3].score."""
    for name, found in messages.items():
        if isinstance(name, int):
            field = f"{outer}[{name}]"
        else:
            field = outer if name == "_schema" else f"{outer}.{name}".removeprefix(".")
        if isinstance(found, dict):
            yield from _details(found, field)
        else:
            yield from (Detail(field=field or "body", message=message) for message in found)


class StrictNumber(fields.Decimal):
    """A finite JSON number within a range, as a Decimal with the digits that were written."""

    default_error_messages = {
        "not_a_number": "Must be a JSON number; omit the field where there is no value.",
        "too_long": f"Must have at most {MAX_DECIMAL_PLACES} digits after the decimal point and no huge exponent.",
    }

    def __init__(self, *, smallest: int, largest: int, description: str) -> None:
        self._bounds = Decimal(smallest), Decimal(largest)
        super().__init__(
            validate=validate.Range(min=smallest, max=largest, error="Must be from {min} to {max}."),
            error_messages={"null": self.default_error_messages["not_a_number"]},
            metadata={"description": description},
        )

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> Decimal:
        if type(value) is int:
            return Decimal(value)
        if type(value) is not Decimal:
            raise self.make_error("not_a_number")
        return value

    def _validate(self, value: Decimal) -> None:
        smallest, largest = self._bounds
        if not smallest <= value <= largest:
            # Says so. Not asked before, because it would take a fifth of all the time that validation takes.
            super()._validate(value)
        exponent = value.as_tuple().exponent
        if not isinstance(exponent, int) or not -MAX_DECIMAL_PLACES <= exponent <= MAX_EXPONENT:
            raise self.make_error("too_long")


class PromptId(fields.UUID):
    """A UUID in the 8-4-4-4-12 form, in any case, and in no other form."""

    default_error_messages = {
        "required": "Is required.",
        "null": "Must be a UUID such as 123e4567-e89b-12d3-a456-426614174000.",
        "invalid_uuid": "Must be a UUID such as 123e4567-e89b-12d3-a456-426614174000.",
    }

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> UUID:
        if not isinstance(value, str) or not _UUID.fullmatch(value):
            raise self.make_error("invalid_uuid")
        return _uuid(value)


@lru_cache(maxsize=10_000)
def _uuid(text: str) -> UUID:
    """The few prompts of a client come again and again, and a UUID takes long to make."""
    return UUID(hex=text)


class VersionHash(fields.String):
    """Text of limited length that PostgreSQL can store and a person can read."""

    default_error_messages = {
        "required": "Is required.",
        "null": "Must be a string.",
        "invalid": "Must be a string.",
        "control": "Must not have control characters or lone surrogates.",
    }

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> str:
        if not isinstance(value, str):
            raise self.make_error("invalid")
        if _CONTROL_CHARACTERS_OR_SURROGATES.search(value):
            raise self.make_error("control")
        return value


class EventList(fields.List[dict[str, Any]]):
    """Events, of which all that are wrong are named; but first there must not be too many."""

    default_error_messages = {
        "required": "Is required.",
        "null": "Must be an array of events.",
        "invalid": "Must be an array of events.",
    }

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> list[dict[str, Any] | None]:
        if not isinstance(value, list):
            raise self.make_error("invalid")
        self._validate(value)
        return super()._deserialize(_with_pauses(value), attr, data, **kwargs)


def _with_pauses(events: Iterable[Any]) -> Iterable[Any]:
    """The events, and between them a turn for the other requests of the process, some of which have deadlines."""
    for number, event in enumerate(events, 1):
        yield event
        if number % EVENTS_AT_A_STRETCH == 0:
            # Not sleep(0), after which gevent may go on here before it has looked at any socket.
            gevent.sleep(SHORTEST_PAUSE_SECONDS)


class EventSchema(Schema):
    """The body of `POST /api/v1/prompts/analytics`."""

    class Meta:
        unknown = EXCLUDE

    error_messages = {"type": "Must be a JSON object.", "unknown": "Unknown field."}

    prompt_id = PromptId(
        required=True,
        metadata={
            "description": "The prompt that was invoked.",
            "pattern": "^[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}$",
        },
    )
    version_hash = VersionHash(
        required=True,
        validate=validate.Length(min=1, max=LONGEST_VERSION_HASH, error="Must have {min} to {max} characters."),
        metadata={
            "description": "The hash of the prompt's version: no control characters.",
            "pattern": "^[^\\u0000-\\u001f\\u007f-\\u009f]*$",
        },
    )
    latency_ms = StrictNumber(smallest=0, largest=LARGEST_NUMBER, description="Latency in milliseconds.")
    cost_usd = StrictNumber(smallest=0, largest=LARGEST_NUMBER, description="Cost in US dollars, kept exactly.")
    score = StrictNumber(
        smallest=-LARGEST_NUMBER, largest=LARGEST_NUMBER, description="Downstream score, where there is one."
    )
    timestamp = RecentTime(
        attribute="occurred_at_ms",
        metadata={
            "type": "string",
            "format": "date-time",
            "description": (
                "When the prompt was invoked, where that is not now: from 30 days ago to 5 minutes ahead, with an "
                "offset. Kept to the millisecond."
            ),
        },
    )


class FastEventSchema(FastLoading, EventSchema):
    """The same, sooner."""


def _event_list(event_schema: type[EventSchema]) -> EventList:
    return EventList(
        fields.Nested(event_schema),
        required=True,
        validate=validate.Length(min=1, max=BATCH_SIZE, error="Must have {min} to {max} events."),
        metadata={"description": "All are logged, or none."},
    )


class BatchSchema(Schema):
    """The body of `POST /api/v1/prompts/analytics/batch`."""

    class Meta:
        unknown = EXCLUDE

    error_messages = EventSchema.error_messages

    events = _event_list(EventSchema)


class FastBatchSchema(BatchSchema):
    """The same, sooner."""

    events = _event_list(FastEventSchema)

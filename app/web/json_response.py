"""How answers are written: JSON with exact decimals and UTC times."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import orjson
from flask import Response


def success(data: object, *, as_of: datetime | None = None) -> Response:
    """A 200 with `{"success": true, "data": …}`, and `asOf` where that is given.

    A Decimal is written as a JSON number with every digit and no exponent, a datetime as ISO 8601 in UTC
    with Z. Raises orjson.JSONEncodeError (a TypeError) for a Decimal that is not finite, a datetime without
    a time zone, and every type that has no form in JSON.
    """
    fresh = {} if as_of is None else {"asOf": as_of}
    return Response(encode({"success": True, **fresh, "data": data}), mimetype="application/json")


def encode(value: object) -> bytes:
    """The JSON of a value, by the rules of `success`."""
    return orjson.dumps(value, default=_encode_exactly, option=orjson.OPT_PASSTHROUGH_DATETIME)


def _encode_exactly(value: Any) -> Any:
    if isinstance(value, Decimal) and value.is_finite():
        return orjson.Fragment(format(value, "f"))
    if isinstance(value, datetime) and value.tzinfo is not None:
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    raise TypeError(f"{type(value).__name__} has no form in JSON")

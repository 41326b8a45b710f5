from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

import orjson
import pytest

from app.web.json_response import encode


@pytest.mark.parametrize(
    ("number", "text"),
    [
        ("0", b"0"),
        ("0.10", b"0.10"),
        ("1E+12", b"1000000000000"),
        ("-1E-20", b"-0.00000000000000000001"),
        ("0.1234567890123456789012345678901234567890", b"0.1234567890123456789012345678901234567890"),
    ],
)
def test_a_decimal_is_a_number_with_every_digit(number: str, text: bytes) -> None:
    assert encode({"sum": [Decimal(number)]}) == b'{"sum":[' + text + b"]}"


def test_a_time_is_told_in_utc_with_z() -> None:
    eastward = timezone(timedelta(hours=2))
    assert encode(datetime(2026, 3, 1, 2, 30, tzinfo=eastward)) == b'"2026-03-01T00:30:00Z"'
    assert encode(datetime(2026, 3, 1, 2, 30, 0, 5, tzinfo=UTC)) == b'"2026-03-01T02:30:00.000005Z"'


NO_TIME_ZONE = datetime(2026, 1, 1)  # noqa: DTZ001 - the point


@pytest.mark.parametrize(
    "value",
    [Decimal("NaN"), Decimal("Infinity"), NO_TIME_ZONE, object()],
    ids=["NaN", "Infinity", "no time zone", "object"],
)
def test_what_has_no_exact_form_is_an_error(value: object) -> None:
    with pytest.raises(orjson.JSONEncodeError):
        encode(value)

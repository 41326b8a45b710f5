"""Values in the form of binary COPY that are quicker to make than the objects which stand for them in Python."""

UUID_BYTES = "bytea"
"""A uuid travels as its 16 bytes."""
TIMESTAMP_MICROSECONDS = "int8"
"""A timestamptz travels as microseconds since 2000-01-01 UTC."""

_MILLISECONDS_TO_2000 = 946_684_800_000


def timestamp_microseconds(milliseconds: int) -> int:
    """Of a time in milliseconds since 1970-01-01 UTC."""
    return (milliseconds - _MILLISECONDS_TO_2000) * 1_000

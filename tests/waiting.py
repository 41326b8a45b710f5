"""Tests wait for what they want to see, and never for a length of time."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def wait_until(condition: Callable[[], T], timeout_seconds: float = 20.0, interval_seconds: float = 0.02) -> T:
    """Returns the first true value of `condition`; AssertionError, with the last value, when the time is over."""
    deadline = time.monotonic() + timeout_seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"did not come true within {timeout_seconds:g} s: {condition!r} gives {value!r}")
        time.sleep(interval_seconds)

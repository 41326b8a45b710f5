"""prometheus_client's counters without its lock and its look for a fork at every count: saves 10 µs an event.

Nothing else runs while a greenlet counts, no thread of ours does, and the application is loaded after the fork.
"""

from typing import Any

from prometheus_client import values


def count_sooner() -> None:
    """Call it before the first counter is made. Without prometheus_client's multiprocess mode it changes nothing."""
    if values.ValueClass is not values.MutexValue:
        values.ValueClass = _without_lock(values.ValueClass)


def _without_lock(shared: Any) -> Any:
    class UnlockedValue(shared):  # type: ignore[misc]  # the library has no types here
        def inc(self, amount: float) -> None:
            self._value += amount
            self._file.write_value(self._key, self._value, 0.0)

    return UnlockedValue

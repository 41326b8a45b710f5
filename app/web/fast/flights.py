"""Requests to append that wait at the same time, in one call of the script: a flight.

While a flight is on its way the next one gathers, as in a group commit: the busier the process, the more travel
together, and a lone request goes at once. What a send, a receive, the entry of a script and a write of the append-only
file cost is paid once a flight.
"""

from collections.abc import Sequence

import gevent
from gevent.event import AsyncResult, Event

from app.core.stream.appending import Answer, Ask, Asked, Send

IN_THE_AIR = 1
MOST_EVENTS = 1_000
"""In one flight: Redis answers nobody else meanwhile. A batch may have as many."""


class Flights:
    """For processes that gevent has patched. Whoever gives up waiting leaves the others their answers."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._waiting: list[tuple[Asked, AsyncResult]] = []
        self._has_waiting = Event()
        self._pilots: list[gevent.Greenlet] = []

    def ask(self, asked: Asked) -> Answer:
        """Raises what the flight raised."""
        if not self._pilots:
            # not before the first request, which comes after the fork
            self._pilots = [gevent.spawn(self._fly_forever) for _ in range(IN_THE_AIR)]
        result = AsyncResult()
        self._waiting.append((asked, result))
        self._has_waiting.set()
        return result.get()

    def _fly_forever(self) -> None:
        while True:
            self._has_waiting.wait()
            flight = self._board()
            try:
                answers = self._send([asked for asked, _ in flight])
            except Exception as error:  # noqa: BLE001 - whatever it is, those who wait must hear of it
                for _, result in flight:
                    result.set_exception(error)
            else:
                for (_, result), answer in zip(flight, answers, strict=True):
                    result.set(answer)

    def _board(self) -> Sequence[tuple[Asked, AsyncResult]]:
        """Those who wait, as far as there is room; the first one always has."""
        events = number = 0
        for number, (asked, _) in enumerate(self._waiting):
            events += len(asked.payloads)
            if number and events > MOST_EVENTS:
                break
        else:
            number = len(self._waiting)
        flight, self._waiting = self._waiting[:number], self._waiting[number:]
        if not self._waiting:
            self._has_waiting.clear()
        return flight


def in_flights(send: Send) -> Ask:
    """As `one_by_one`, together."""
    return Flights(send).ask

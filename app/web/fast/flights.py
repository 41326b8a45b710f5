"""Requests to append that wait at the same time, in one call of the script: a flight.

While a flight is on its way the next one gathers, as in a group commit: the busier the process, the more travel
together, and a lone request goes at once. What a send, a receive, the entry of a script and a write of the append-only
file cost is paid once a flight.
"""

from collections.abc import Sequence
from typing import NamedTuple

import gevent
from gevent.event import AsyncResult, Event

from app.core.stream.appending import Answer, Ask, Asked, Send

MOST_EVENTS = 1_000
"""In one flight: Redis answers nobody else meanwhile. A batch may have as many."""


class Flights:
    """For processes that gevent has patched. Whoever gives up waiting leaves the others their answers."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._waiting: list[_Passenger] = []
        self._has_waiting = Event()
        self._pilot: gevent.Greenlet | None = None

    def ask(self, asked: Asked) -> Answer:
        """Raises what the flight raised, or the one before it that had no room for this."""
        if not self._pilot:
            # not before the first request, which comes after the fork
            self._pilot = gevent.spawn(self._fly_forever)
        passenger = _Passenger(asked, AsyncResult())
        self._waiting.append(passenger)
        self._has_waiting.set()
        return passenger.answer.get()

    def _fly_forever(self) -> None:
        while True:
            self._has_waiting.wait()
            flight = self._board()
            self._fly(flight, left_behind=len(self._waiting))

    def _fly(self, flight: "Sequence[_Passenger]", *, left_behind: int) -> None:
        try:
            answers = self._send([passenger.asked for passenger in flight])
            answered = list(zip(flight, answers, strict=True))
        except Exception as error:  # noqa: BLE001 - whatever it is, those who wait must hear of it
            # and those who had no room have waited as long: flight after flight they would wait for a silent Redis
            for passenger in (*flight, *self._take(left_behind)):
                passenger.answer.set_exception(error)
            return
        for passenger, answer in answered:
            passenger.answer.set(answer)

    def _board(self) -> "Sequence[_Passenger]":
        """Those who wait, as far as there is room; the first one always has."""
        room, boarded = MOST_EVENTS, 0
        for passenger in self._waiting:
            room -= len(passenger.asked.payloads)
            if room < 0 and boarded:
                break
            boarded += 1
        return self._take(boarded)

    def _take(self, count: int) -> "Sequence[_Passenger]":
        taken, self._waiting = self._waiting[:count], self._waiting[count:]
        if not self._waiting:
            self._has_waiting.clear()
        return taken


class _Passenger(NamedTuple):
    asked: Asked
    answer: AsyncResult


def in_flights(send: Send) -> Ask:
    """As `one_by_one`, together."""
    return Flights(send).ask

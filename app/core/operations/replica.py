"""Reading from a hot standby, where there is one that is fresh enough; else from the primary.

Nobody waits for a standby longer than for a moment: what is known of it is at most two seconds old, and one that does
not answer is left alone until it does.
"""

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal, NamedTuple, TypeVar

from app.core import background
from app.core.database import Connection, ConnectionPool, connection_from
from app.core.errors import DatabaseTooSlow, DatabaseUnavailable, NotFound, Unavailable
from app.core.queries.replica import Position, Replayed, select_position, select_replayed

LARGEST_LAG = timedelta(seconds=10)
LOOK_AGAIN_SECONDS = 1.0
USABLE_SECONDS = 2.0
"""So long what was seen counts; whoever comes later waits for a new look."""
WAIT_SECONDS = 0.25
CONNECTION_SECONDS = 1.0
SLICE_SECONDS = 0.5
"""Between two looks at whether a standby that has not answered yet is still there."""

State = Literal["in use", "lagging", "away", "not a standby"]

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Standing:
    """All that was committed until `as_of`, by the primary's clock, is in the standby; None where that is not known."""

    state: State
    as_of: datetime | None = None
    lag_seconds: float | None = None


AWAY = Standing("away")


def standing_of(found: Position | None, replayed: Replayed, *, known_as_of: datetime | None, now: datetime) -> Standing:
    """What a look at the primary, and at the standby after it, tells; None where the primary did not answer.

    A standby that has got as far as the primary was has all that was committed until then, however long ago the last
    commit was. One that has not is as of its last commit, or as it was known to be before (`known_as_of`), unless it
    was put back since: one that crashed begins again behind where it was.
    """
    if not replayed.is_standby:
        return Standing("not a standby")
    at = now if found is None else found.at
    known = [as_of for as_of in (known_as_of if replayed.is_further else None, replayed.last_commit_at) if as_of]
    as_of = at if replayed.has_all else max(known, default=None)
    if as_of is None:
        return Standing("lagging")
    lag = max(timedelta(), at - as_of)
    return Standing("in use" if lag <= LARGEST_LAG else "lagging", as_of, lag.total_seconds())


class Patience(NamedTuple):
    """How long a question may wait for a connection, and for its answer all in all."""

    connection_seconds: float
    answer_seconds: float


class Replica:
    """What a process knows of its standby, and questions to it."""

    def __init__(
        self, primary: ConnectionPool, standby: ConnectionPool, *, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        """Both pools are closed by whoever opened them."""
        self.pool = standby
        self._primary = primary
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._look: Future[None] | None = None
        self._given_up: Future[None] | None = None
        self._seen = AWAY
        self._seen_at = -USABLE_SECONDS
        self._known: tuple[datetime, str | None] | None = None

    def standing(self) -> Standing:
        """As of the last seconds. Looks anew beside the one who asks, who waits for it only where nothing is known."""
        with self._lock:
            age = self._monotonic() - self._seen_at
            if age >= LOOK_AGAIN_SECONDS and (self._look is None or self._look.done()):
                self._look = background.begin(self._look_anew)
            look = self._look
        if age < USABLE_SECONDS or look is None:
            return self._seen
        if look is self._given_up:
            return AWAY
        try:
            look.result(WAIT_SECONDS)
        except TimeoutError:
            self._given_up = look
            return AWAY
        return self._seen

    def doubt(self) -> None:
        """It did not answer: what was seen of it counts no longer."""
        self._seen_at = self._monotonic() - USABLE_SECONDS

    def _look_anew(self) -> None:
        began_at = self._monotonic()
        try:
            seen = self._compare()
        except Unavailable:
            seen = AWAY
        self._seen, self._seen_at = seen, began_at

    def _compare(self) -> Standing:
        """The primary is asked first, and may be away. Raises Unavailable where the standby does not answer."""
        found = None
        with suppress(Unavailable), connection_from(self._primary, wait_seconds=CONNECTION_SECONDS) as connection:
            found = select_position(connection)
        known_as_of, earlier = self._known or (None, None)
        with connection_from(self.pool, wait_seconds=CONNECTION_SECONDS) as connection:
            replayed = select_replayed(connection, found.position if found else None, earlier)
        seen = standing_of(found, replayed, known_as_of=known_as_of, now=datetime.now(UTC))
        self._known = (seen.as_of, replayed.position) if seen.as_of else None
        return seen

    def ask(self, work: Callable[[Connection], _T], patience: Patience, *, snapshot: bool) -> _T:
        """What `work` makes of a connection to the standby; as `app.core.database.run`.

        Raises DatabaseUnavailable also as soon as the standby is known to have gone, and DatabaseTooSlow where it is
        there and takes too long.
        """
        until = self._monotonic() + patience.answer_seconds

        def run_connected() -> _T:
            wait = min(CONNECTION_SECONDS, patience.connection_seconds)
            with connection_from(self.pool, snapshot=snapshot, wait_seconds=wait) as connection:
                return work(connection)

        answer = background.begin(run_connected)
        while True:
            left = until - self._monotonic()
            try:
                return answer.result(min(SLICE_SECONDS, max(left, 0.0)))
            except TimeoutError:
                if left <= SLICE_SECONDS:
                    raise DatabaseTooSlow("no answer in the time that there was") from None
                if self.standing().state != "in use":
                    raise DatabaseUnavailable("the standby has gone") from None


class Answer(NamedTuple):
    """All that was committed until `as_of` was seen; `from_standby`: what came later may be missing."""

    as_of: datetime
    from_standby: bool


def read(
    replica: Replica | None,
    ask_primary: Callable[[float], _T],
    work: Callable[[Connection], _T],
    patience: Patience,
    *,
    snapshot: bool,
) -> tuple[_T, Answer]:
    """The answer of the standby where it is in use, else that of the primary, and how fresh it is.

    Of the primary too where the standby fails: it may have gone, or have cancelled the question for the sake of what it
    replays (SQLSTATE 40001); or where it does not find what may have come a moment ago. `ask_primary` gets the seconds
    that are left. Raises what it raises.
    """
    began_at = time.monotonic()
    seen = AWAY if replica is None else replica.standing()
    if replica is not None and seen.state == "in use" and seen.as_of is not None:
        try:
            return replica.ask(work, patience, snapshot=snapshot), Answer(seen.as_of, from_standby=True)
        except DatabaseTooSlow:
            # the primary would be no faster
            raise
        except NotFound:
            pass
        except Unavailable:
            replica.doubt()
    as_of = datetime.now(UTC)
    left = patience.answer_seconds - (time.monotonic() - began_at)
    return ask_primary(left), Answer(as_of, from_standby=False)

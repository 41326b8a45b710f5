"""Questions of the read API and the pages to what is stored: to a hot standby where there is one, else to the primary.

Whoever writes, and looks up who somebody is, asks the primary: `app.web.services.ask_database`.
"""

from collections.abc import Callable
from typing import Concatenate, ParamSpec, TypeVar

from app.core import database
from app.core.database import Connection
from app.core.operations.replica import Patience, Replica, read
from app.web.request_context import context
from app.web.services import patience, services

_P = ParamSpec("_P")
_T = TypeVar("_T")
_Work = Callable[Concatenate[Connection, _P], _T]


def ask_snapshot(work: _Work[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
    """What `work` makes of a connection in which all statements see one state, with the time that long ranges take.

    In another thread; what it needs of the request are arguments. `context().as_of` is then how fresh that is.
    """
    patient = patience()
    return _read(
        lambda connection: work(connection, *args, **kwargs),
        Patience(patient.connection_seconds, patient.snapshot_seconds),
        snapshot=True,
    )


def ask_stored(work: _Work[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
    """The same for what needs no snapshot."""
    patient = patience()
    return _read(
        lambda connection: work(connection, *args, **kwargs),
        Patience(patient.connection_seconds, patient.answer_seconds),
        snapshot=False,
    )


def _read(work: Callable[[Connection], _T], patient: Patience, *, snapshot: bool) -> _T:
    def ask_primary(seconds: float) -> _T:
        return database.run(
            services().database,
            work,
            deadline_seconds=seconds,
            wait_seconds=min(patient.connection_seconds, seconds),
            snapshot=snapshot,
        )

    found, answer = read(_replica(), ask_primary, work, patient, snapshot=snapshot)
    known = context()
    known.as_of = min(known.as_of or answer.as_of, answer.as_of)
    known.from_standby |= answer.from_standby
    return found


def _replica() -> Replica | None:
    """None also for whoever wants to see what they have changed."""
    return None if context().has_written else services().replica


def url_to_read() -> str:
    """Where a connection of one's own reads what is stored, such as that of a download."""
    settings, replica = services().settings, _replica()
    reads = replica is not None and replica.standing().state == "in use"
    return settings.database_read_url if reads and settings.database_read_url else settings.database_direct_url

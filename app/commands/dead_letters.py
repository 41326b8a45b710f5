"""`dead-letters`: look at entries that could not be stored, put them back, or give them up."""

import time

import click
import redis

from app.commands.servers import database_connection, describe, event_buffer, redis_connection, settings
from app.commands.tables import show_table, time_text
from app.core.database import MAX_BIGINT, Connection
from app.core.errors import NotFound, RedisFull, Unavailable
from app.core.operations.dead_letter_disposal import dispose
from app.core.operations.replays import (
    MOST_FOLLOWED,
    Replayed,
    ReplayReport,
    follow_replays,
    newly_settled,
    replayed,
    report_of,
)
from app.core.queries.audit_log import COMMAND_LINE, Action
from app.core.queries.dead_letters import DeadLetter, DeletedLetter, select_dead_letter_ids, select_dead_letters
from app.core.stream.dead_letters import Disposal, give_up, put_back

_ids = click.argument("dead_letter_ids", metavar="[ID]…", nargs=-1, type=click.IntRange(1, MAX_BIGINT))
_all = click.option("--all", "every", is_flag=True, help="All that there are now.")
_wait = click.option(
    "--wait",
    "wait_seconds",
    type=click.IntRange(0, 600),
    default=20,
    show_default=True,
    help="For so many seconds, at most, wait for workers to take them up: each looks every 15 seconds.",
)
LOOK_AGAIN_SECONDS = 0.5


@click.group()
def dead_letters() -> None:
    """Buffered entries that could not be stored."""


@dead_letters.command(name="list")
@click.option("--limit", type=click.IntRange(1, 100_000), default=100, show_default=True, help="At most so many.")
def list_dead_letters(limit: int) -> None:
    """Show the oldest dead letters; their bytes are in the table dead_letters."""
    with database_connection(settings()) as connection:
        found = select_dead_letters(connection, limit=limit)
    show_table(("ID", "RECEIVED", "FAILED", "BYTES", "REASON"), [_cells(each) for each in found])


@dead_letters.command()
@_ids
@_all
@_wait
def replay(dead_letter_ids: tuple[int, ...], *, every: bool, wait_seconds: int) -> None:
    """Put dead letters back into the buffer, and tell what became of them.

    One that fails again comes back as a dead letter.
    """
    current = settings()
    letters: dict[str, Replayed] = {}

    def note(entry_id: str, letter: DeletedLetter) -> None:
        if len(letters) < MOST_FOLLOWED:
            letters[entry_id] = replayed(letter)

    with database_connection(current) as connection:
        with event_buffer(current, connection) as buffer:
            disposal = put_back(buffer, note)
            count = _take_out(connection, dead_letter_ids, disposal, Action.LETTERS_REPLAYED, every=every)
        click.echo(f"put back: {count}")
        if not letters:
            return
        try:
            with redis_connection(current) as client:
                follow_replays(client, None, letters)
                report = _await_fates(client, connection, letters, wait_seconds)
        except (RedisFull, Unavailable) as error:
            click.echo(f"what became of them is not known: {describe(error)}", err=True)
        else:
            click.echo(_told(report, count))


@dead_letters.command()
@_ids
@_all
def discard(dead_letter_ids: tuple[int, ...], *, every: bool) -> None:
    """Delete dead letters for good."""
    with database_connection(settings()) as connection:
        count = _take_out(connection, dead_letter_ids, give_up, Action.LETTERS_DISCARDED, every=every)
    click.echo(f"discarded: {count}")


def _take_out(
    connection: Connection, dead_letter_ids: tuple[int, ...], disposal: Disposal, action: Action, *, every: bool
) -> int:
    """How many were there. Raises NotFound for the first id that is not; those before it are done."""
    if every == bool(dead_letter_ids):
        raise click.UsageError("Give either ids or --all.")
    if every:
        ids = select_dead_letter_ids(connection)
        return len(dispose(connection, ids, disposal, action, COMMAND_LINE, subject="all that there were"))
    asked_for = list(dict.fromkeys(dead_letter_ids))
    for dead_letter_id in asked_for:
        subject = f"dead letter {dead_letter_id}"
        if not dispose(connection, [dead_letter_id], disposal, action, COMMAND_LINE, subject=subject):
            raise NotFound(f"there is no dead letter with the id {dead_letter_id}")
    return len(asked_for)


def _await_fates(
    client: redis.Redis, connection: Connection, letters: dict[str, Replayed], wait_seconds: int
) -> ReplayReport:
    """When none waits any more, or the time is over."""
    until = time.monotonic() + wait_seconds
    while True:
        letters |= newly_settled(client, connection, letters)
        report = report_of(letters)
        if not report.waiting or time.monotonic() >= until:
            return report
        time.sleep(LOOK_AGAIN_SECONDS)


def _told(report: ReplayReport, count: int) -> str:
    fates = {"stored": report.stored, "set aside again": report.set_aside, "waiting": report.waiting}
    if report.gone:
        fates["taken out since"] = report.gone
    told = ", ".join(f"{fate}: {letters}" for fate, letters in fates.items())
    first = f"of the first {report.letters}: " if report.letters < count else ""
    later = "; for an hour the system page tells operators what becomes of them" if report.waiting else ""
    return f"{first}{told}{later}"


def _cells(letter: DeadLetter) -> tuple[str, ...]:
    times = (time_text(letter.received_at), time_text(letter.failed_at))
    return (str(letter.dead_letter_id), *times, str(letter.payload_bytes), letter.reason)

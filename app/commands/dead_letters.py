"""`dead-letters`: look at entries that could not be stored, put them back, or give them up."""

import click

from app.commands.servers import database_connection, event_buffer, settings
from app.commands.tables import show_table, time_text
from app.core.database import MAX_BIGINT, Connection
from app.core.errors import NotFound
from app.core.operations.dead_letter_disposal import dispose
from app.core.queries.audit_log import COMMAND_LINE, Action
from app.core.queries.dead_letters import DeadLetter, select_dead_letter_ids, select_dead_letters
from app.core.stream.dead_letters import Disposal, give_up, put_back

_ids = click.argument("dead_letter_ids", metavar="[ID]…", nargs=-1, type=click.IntRange(1, MAX_BIGINT))
_all = click.option("--all", "every", is_flag=True, help="All that there are now.")


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
def replay(dead_letter_ids: tuple[int, ...], *, every: bool) -> None:
    """Put dead letters back into the buffer; one that fails again comes back as a dead letter."""
    current = settings()
    with database_connection(current) as connection, event_buffer(current, connection) as buffer:
        count = _take_out(connection, dead_letter_ids, put_back(buffer), Action.LETTERS_REPLAYED, every=every)
    click.echo(f"put back: {count}")


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


def _cells(letter: DeadLetter) -> tuple[str, ...]:
    times = (time_text(letter.received_at), time_text(letter.failed_at))
    return (str(letter.dead_letter_id), *times, str(letter.payload_bytes), letter.reason)

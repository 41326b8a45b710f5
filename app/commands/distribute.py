"""`distribute`: the tables that grow are spread over the nodes of Citus."""

import click

from app.commands.servers import database_connection, settings
from app.core.database import connected
from app.core.migrations.distribution import DEFAULT_SHARDS, distribute, remaining_steps
from app.core.queries.distribution import take_migration_lock

_MOST_SHARDS = 1_024


@click.command(name="distribute")
@click.option("--yes", is_flag=True, help="Do it without asking.")
@click.option("--dry-run", is_flag=True, help="Say what is left to do, and do nothing.")
@click.option(
    "--shards",
    type=click.IntRange(1, _MOST_SHARDS),
    default=DEFAULT_SHARDS,
    show_default=True,
    help="Of events, and of rollups: at least as many as there will ever be worker nodes.",
)
def distribute_database(shards: int, *, yes: bool, dry_run: bool) -> None:
    """Spread events and rollups over the worker nodes of Citus.

    DATABASE_URL leads to the coordinator. Workers wait while a table is copied, and events in the buffer meanwhile.
    What is done already is not done again: repeat the command where it was broken off.
    """
    current = settings()
    with database_connection(current) as connection:
        steps = remaining_steps(connection, shards=shards)
    if not steps:
        click.echo("the database is distributed already: nothing is left to do")
        return
    for step in steps:
        click.echo(f"will {step.words}")
    if dry_run:
        return
    if not yes:
        click.confirm("Nothing is stored while a table is copied. Go on?", abort=True)
    # A table of hours is one statement: it has no timeout, but gives way to whoever holds a table.
    with connected(current.database_direct_url, application_name="pa-distribute", statement_timeout_ms=0) as connection:
        take_migration_lock(connection)
        distribute(connection, shards=shards, tell=click.echo)
    click.echo("the database is distributed")

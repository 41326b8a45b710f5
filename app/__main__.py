"""`python -m app`: the operator's commands. Beside a running `make run` they use its servers."""

import click

from app.commands.dead_letters import dead_letters
from app.commands.demo import demo
from app.commands.distribute import distribute_database
from app.commands.keys import keys
from app.commands.ledger import ledger, losses
from app.commands.reader import reader
from app.commands.recount import recount
from app.commands.servers import CommandGroup, settings
from app.commands.status import status
from app.commands.transfer import export_events, import_events
from app.commands.users import users
from app.core.migrations import SCHEMA_REVISION
from app.core.migrations import migrate as migrate_database


@click.group(cls=CommandGroup)
def main() -> None:
    """Commands for the operator of Prompt Analytics."""


@main.command()
def migrate() -> None:
    """Bring the database to this release's schema; safe to run at any time, and by several at once."""
    before = migrate_database(settings().database_direct_url)
    if before == SCHEMA_REVISION:
        click.echo(f"the database was at revision {SCHEMA_REVISION} already")
    else:
        click.echo(f"migrated the database from {before or 'nothing'} to revision {SCHEMA_REVISION}")


main.add_command(keys)
main.add_command(users)
main.add_command(dead_letters, name="dead-letters")
main.add_command(status)
main.add_command(ledger)
main.add_command(losses)
main.add_command(recount)
main.add_command(export_events)
main.add_command(import_events)
main.add_command(reader)
main.add_command(distribute_database)
main.add_command(demo)

if __name__ == "__main__":
    main(prog_name="python -m app")

"""`reader`: the role with which BI tools read the views of docs/grafana-and-sql.md."""

import click

from app.commands.servers import database_connection, settings
from app.core.queries.distribution import is_distributed
from app.core.queries.reader import (
    CREATE_READER,
    READ_ON_NODES,
    READER,
    ensure_reader,
    select_readable_tables,
    select_readable_views,
)


@click.command()
def reader() -> None:
    """Let the role pa_reader read the views of the schema analytics, and check that it can read nothing else.

    Makes the role where this user may make roles. Else it exits with 1, and says what an administrator has to run.
    """
    with database_connection(settings()) as connection:
        if not ensure_reader(connection):
            raise click.ClickException(
                f"there is no role {READER}, and this user may not make one; have an administrator of PostgreSQL run\n"
                f"    {CREATE_READER};\nand then run this command again"
            )
        views, tables = select_readable_views(connection), select_readable_tables(connection)
        besides = f" but {', '.join(READ_ON_NODES)}, which lie on nodes" if is_distributed(connection) else ""
    if tables:
        raise click.ClickException(
            f"{READER} can read more than the views, because somebody granted it: {', '.join(tables)}"
        )
    click.echo(
        f"{READER} can read {', '.join(views)}, and no table{besides}. "
        "A sign-in for a tool, which an administrator makes:\n"
        f"    CREATE ROLE grafana LOGIN PASSWORD '…' IN ROLE {READER};"
    )

"""`recount`: rollups made anew from the raw events."""

from datetime import UTC, datetime, time, timedelta

import click

from app.commands.parameters import a_name
from app.commands.servers import database_connection, project_id_of, settings
from app.core.database import Connection
from app.core.queries.projects import select_project_names
from app.core.queries.recount import recount_day, recount_hour, select_days_with_events
from app.core.rollups.time_range import MINUTES_KEPT

_DAY = click.DateTime(["%Y-%m-%d"])


@click.command()
@click.option("--project", callback=a_name, help="Only this project.")
@click.option("--from", "first", type=_DAY, help="The first UTC day, such as 2026-11-01.")
@click.option("--to", "last", type=_DAY, help="The last UTC day.")
def recount(project: str | None, first: datetime | None, last: datetime | None) -> None:
    """Make the rollups of all days that have raw events anew, while the service runs.

    Days whose raw events are past their retention stay as they are. Workers go on storing meanwhile.
    """
    with database_connection(settings()) as connection:
        for name in select_project_names(connection) if project is None else [project]:
            project_id = project_id_of(connection, name)
            days = [
                day
                for day in select_days_with_events(connection, project_id)
                if (first is None or day >= first.date()) and (last is None or day <= last.date())
            ]
            changed = [day for day in days if _recount(connection, project_id, datetime.combine(day, time(), UTC))]
            wrong = f", wrong were {', '.join(map(str, changed))}" if changed else ", all were right"
            click.echo(f"{name}: {len(days)} days recounted{wrong if days else ''}")


def _recount(connection: Connection, project_id: int, day: datetime) -> bool:
    """Whether the rollups of the day or of one of its hours were wrong."""
    kept_from = datetime.now(UTC) - MINUTES_KEPT
    hours = [day + timedelta(hours=hour) for hour in range(24)]
    changed = [recount_hour(connection, project_id, hour, minutes=hour >= kept_from) for hour in hours]
    changed.append(recount_day(connection, project_id, day))
    return any(changed)

"""`ledger`: whether all that was acknowledged is accounted for, and `losses`: what is not."""

import json
import time
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime, timedelta

import click
import redis

from app.commands.parameters import a_name
from app.commands.servers import database_connection, project_id_of, redis_connection, settings
from app.commands.tables import show_table, time_text
from app.core.database import Connection
from app.core.queries.ledger_report import (
    DamagedRollups,
    LedgerHour,
    RecountedHour,
    select_damaged_rollups,
    select_ledger,
    select_miscounted_hours,
)
from app.core.queries.losses import note_losses, select_losses
from app.core.queries.partitions import select_first_day
from app.core.rollups.grains import floor_to
from app.core.stream.losses import look_for_losses

PATIENCE_SECONDS = 10.0
"""So long a worker that looks at the same moment is waited for."""
COLUMNS = ("accepted", "stored", "repeated", "set_aside", "waiting", "lost", "untraced", "replayed", "unanswered")


@click.command()
@click.option("--project", callback=a_name, help="Only this project.")
@click.option("--hours", type=click.IntRange(1, 24 * 400), default=48, show_default=True, help="How far back.")
@click.option("--json", "as_json", is_flag=True, help="As one JSON object.")
def ledger(project: str | None, hours: int, *, as_json: bool) -> None:
    """Show what became of every acknowledged event, by project and hour.

    accepted = stored + repeated + set aside + waiting in the buffer + lost + untraced. Exits with 1 where events are
    lost, where the rollups of an hour do not hold as many events as there are, where a latency histogram is damaged,
    and where it cannot be told.
    """
    current = settings()
    since = floor_to("hour", datetime.now(UTC)) - timedelta(hours=hours - 1)
    with database_connection(current) as connection, redis_connection(current) as client:
        project_id = None if project is None else project_id_of(connection, project)
        was_looked = _look(connection, client)
        rows = select_ledger(connection, since=since, project_id=project_id)
        compared_from = _comparable(connection, since)
        miscounted = select_miscounted_hours(connection, since=compared_from, project_id=project_id)
        damaged = select_damaged_rollups(connection, since=since, project_id=project_id)
    lost = sum(row.lost for row in rows)
    if as_json:
        parts: dict[str, Sequence[object]] = {"hours": rows, "miscounted": miscounted, "damaged": damaged}
        click.echo(json.dumps({name: [_json(row) for row in part] for name, part in parts.items()}))
    else:
        show_table(
            ("HOUR", "PROJECT", *(name.replace("_", " ").upper() for name in COLUMNS)), [_cells(row) for row in rows]
        )
        if compared_from > since:
            click.echo(
                f"raw events and rollups are compared from {time_text(compared_from)} on, where raw events begin",
                err=True,
            )
    _name_wrong_rollups(miscounted, damaged)
    if lost or miscounted:
        raise click.ClickException(f"it does not add up: {lost} events lost, {len(miscounted)} hours miscounted")
    if not was_looked:
        raise click.ClickException("whether events are lost cannot be told now: too many wait, or a worker is looking")
    if damaged:
        raise click.ClickException("latency histograms are damaged: `recount` makes them anew")


def _comparable(connection: Connection, since: datetime) -> datetime:
    """Rollups outlive their events: the first moment from `since` on of which there are both."""
    first_day = select_first_day(connection)
    return since if first_day is None else max(since, datetime.combine(first_day, datetime.min.time(), UTC))


def _name_wrong_rollups(miscounted: Sequence[RecountedHour], damaged: Sequence[DamagedRollups]) -> None:
    for hour in miscounted:
        click.echo(
            f"{hour.project}, {time_text(hour.hour)}: {hour.events} events, {hour.rolled_up} in the rollups", err=True
        )
    for each in damaged:
        click.echo(
            f"{each.project}, {each.grain} {time_text(each.bucket_start)}: {each.histograms} damaged histograms",
            err=True,
        )


@click.group()
def losses() -> None:
    """Acknowledged events that are missing."""


@losses.command(name="list")
def list_losses() -> None:
    """Show when the missing events were acknowledged, and when they were missed."""
    with database_connection(settings()) as connection:
        found = select_losses(connection)
    headings = ("PROJECT", "EVENTS", "ACKNOWLEDGED FROM", "TO", "FOUND", "NOTED")
    times = ("first_at", "last_at", "found_at", "noted_at")
    rows = [(each.project, str(each.events), *(time_text(getattr(each, time)) for time in times)) for each in found]
    show_table(headings, rows)


@losses.command()
def note() -> None:
    """Take note of all losses: /readyz and the system page no longer warn of them."""
    with database_connection(settings()) as connection:
        click.echo(f"noted: {note_losses(connection)}")


def _look(connection: Connection, client: redis.Redis) -> bool:
    until = time.monotonic() + PATIENCE_SECONDS
    while look_for_losses(connection, client) is None:
        if time.monotonic() > until:
            return False
        time.sleep(0.2)
    return True


def _json(row: object) -> dict[str, object]:
    fields = asdict(row)  # type: ignore[call-overload]
    return {name: time_text(value) if isinstance(value, datetime) else value for name, value in fields.items()}


def _cells(row: LedgerHour) -> tuple[str, ...]:
    return (time_text(row.hour), row.project, *(str(getattr(row, name)) for name in COLUMNS))

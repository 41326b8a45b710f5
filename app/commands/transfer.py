"""`export` and `import`: raw events as files, out of an installation and into one."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from functools import partial

import click

from app.commands.parameters import a_name
from app.commands.servers import database_connection, project_id_of, settings
from app.core.contract import SHORTEST_RETENTION
from app.core.database import Connection
from app.core.pooled_connection import need_session
from app.core.queries.projects import insert_project_numbered, select_project_id
from app.core.transfer.exporting import ExportReport, export_days
from app.core.transfer.importing import ImportReport, import_days, whole_manifest, without_expired
from app.core.transfer.manifest import FORMATS, DayFile, Format, Manifest, secret_fingerprint
from app.core.transfer.places import open_place
from app.core.transfer.rows import exact_sum
from config.settings import Settings

_DAY = click.DateTime(["%Y-%m-%d"])
STATEMENT_TIMEOUT_MS = 900_000
"""PostgreSQL counts and sorts a day in one statement."""
LOCK_TIMEOUT_MS = 60_000
"""A recount of an hour may hold the rollups for so long."""

tell = partial(click.echo, err=True)


@click.command(name="export")
@click.option("--project", required=True, callback=a_name, help="Whose events.")
@click.option(
    "--from", "first", type=_DAY, help="The first UTC day, such as 2026-11-01; without it, all that there are."
)
@click.option("--to", "last", type=_DAY, help="The last UTC day.")
@click.option("--format", "of_format", type=click.Choice(FORMATS), default="parquet", show_default=True)
@click.option("--out", required=True, help="A folder, or s3://bucket/folder.")
def export_events(project: str, first: datetime | None, last: datetime | None, of_format: Format, out: str) -> None:
    """Write raw events to files, one for each UTC day, with a manifest.

    Run again, it writes only days that have changed, and goes on where it was broken off. Exits with 1 where the
    totals of a day are not those of its events, or where there are fewer than in its file, which then stays.
    docs/export.md has the columns.
    """
    if first is not None and last is not None and first > last:
        raise click.BadParameter("--from is later than --to")
    current = settings()
    place = open_place(out, s3_endpoint_url=current.aws_endpoint_url)
    with _patient_session(current) as connection:
        wanted = Manifest(
            format=of_format,
            project=project,
            project_number=project_id_of(connection, project),
            secret_key_fingerprint=secret_fingerprint(current.secret_key),
        )
        report = export_days(
            connection, place, wanted, first=_date(first), last=_date(last), tell=tell, clock=time.monotonic
        )
    _tell_of_export(report, out)


def _date(moment: datetime | None) -> date | None:
    return None if moment is None else moment.date()


def _tell_of_export(report: ExportReport, out: str) -> None:
    """Raises click.ClickException where it does not add up."""
    if report.gone:
        events = sum(each.events for each in report.gone)
        tell(
            f"raw events from {report.gone[0].day} to {report.gone[-1].day} are gone, past RETENTION_DAYS: "
            f"{events:,} events of {len(report.gone)} days are in the rollups only"
        )
    files = report.manifest.files
    events, cost = sum(file.events for file in files), exact_sum(file.cost_usd_sum for file in files)
    click.echo(
        f"{out}: {events:,} events of {len(files)} days, {cost:f} US dollars; "
        f"{report.written} files written, {report.unchanged} unchanged"
    )
    for each in report.miscounted:
        tell(f"{each.day}: {each.events} events, {each.rolled_up} in the rollups")
    if report.fewer:
        raise click.ClickException(
            f"{len(report.fewer)} days from {report.fewer[0]} to {report.fewer[-1]} have fewer events here than in "
            "their files, which stay as they are: this is another database than they came from, or an older state of "
            "it. Choose another place, or take these files away"
        )
    if report.miscounted:
        raise click.ClickException(
            f"it does not add up: the totals of {len(report.miscounted)} days are not those of their events, which "
            "are in the files: `recount` makes them anew"
        )


@click.command(name="import")
@click.option("--project", required=True, callback=a_name, help="Into which project; it is made where there is none.")
@click.option("--skip-expired", is_flag=True, help="Leave out days that are past RETENTION_DAYS.")
@click.argument("source")
def import_events(project: str, source: str, *, skip_expired: bool) -> None:
    """Store the events of an export, from a folder or s3://bucket/folder, each exactly once.

    Run again, it stores nothing twice. Exits with 1 where an event is stored here with other content than in the files.
    """
    current = settings()
    place = open_place(source, s3_endpoint_url=current.aws_endpoint_url)
    manifest = whole_manifest(place)
    now = datetime.now(UTC)
    keep_from = now.date() - max(timedelta(days=current.retention_days), SHORTEST_RETENTION)
    manifest, expired = without_expired(manifest, keep_from=keep_from, skip_expired=skip_expired)
    began_at = time.monotonic()
    with _patient_session(current) as connection:
        project_id = _project_for(connection, project, manifest)
        _tell_of_ids(manifest, project_id, secret_fingerprint(current.secret_key))
        report = import_days(connection, place, manifest, project_id, now=now, tell=tell, clock=time.monotonic)
    _tell_of_import(report, expired, time.monotonic() - began_at)


def _project_for(connection: Connection, name: str, manifest: Manifest) -> int:
    found = select_project_id(connection, name)
    if found is not None:
        return found
    made = insert_project_numbered(connection, name, manifest.project_number)
    tell(f"made the project {name}")
    return made


def _tell_of_ids(manifest: Manifest, project_id: int, fingerprint: str) -> None:
    """Ids of events are made from SECRET_KEY, the project's number and the Idempotency-Key."""
    differing = []
    if manifest.secret_key_fingerprint != fingerprint:
        differing.append("SECRET_KEY is another one")
    if manifest.project_number != project_id:
        differing.append(f"the project has number {project_id} here and had {manifest.project_number}")
    if differing:
        tell(f"clients that send one of these events again here are not recognised: {', and '.join(differing)}")


def _tell_of_import(report: ImportReport, expired: Sequence[DayFile], seconds: float) -> None:
    """Raises click.ClickException where events are stored with other content."""
    if expired:
        tell(f"left out: {len(expired)} days with {sum(file.events for file in expired):,} events, past RETENTION_DAYS")
    click.echo(
        f"{report.new + report.repeated:,} events of {report.days} days: {report.new:,} new, "
        f"{report.repeated:,} were stored already; {seconds:.1f} s"
    )
    if report.conflicting:
        raise click.ClickException(
            f"{report.conflicting} events are stored here with other content than in the files; they stay as they are"
        )


@contextmanager
def _patient_session(current: Settings) -> Iterator[Connection]:
    """Cursors and temporary tables stay from one transaction to the next: raises PoolerInTheWay where they cannot."""
    with database_connection(
        current, statement_timeout_ms=STATEMENT_TIMEOUT_MS, lock_timeout_ms=LOCK_TIMEOUT_MS
    ) as connection:
        need_session(connection)
        yield connection

"""The ledger of events: what was acknowledged, what a worker saw, and what is missing.

Acknowledgements and sightings are appended, and folded into one row for each series (app.core.stream.numbering). An
acknowledgement leaves when all its numbers were seen, are lost or untraced (app.core.queries.untraced); so what is left
of them is in the buffer, or missing.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from app.core.acknowledgements import Acknowledgement, Run, multirange
from app.core.database import Connection
from app.core.queries.missing_events import MISSING, missing_parameters
from app.core.queries.rows import all_rows, one_value

Outcome = Literal["stored", "repeated", "set_aside"]
"""What became of events that a worker saw; where a number has several, the first of these counts."""

LEDGER_LOCK = 0x70615F6C
"""An advisory lock key of our own: "pa_l"."""


def insert_acknowledgements(connection: Connection, acknowledgements: Sequence[Acknowledgement]) -> None:
    """Keep them, all or none."""
    sql = """
        INSERT INTO acknowledgements (series, project_id, hour, numbers, replayed, first_at, last_at)
        SELECT series, project_id, hour, numbers::int8multirange, replayed, first_at, last_at
        FROM unnest(
            %(series)s::text[], %(project_ids)s::integer[], %(hours)s::timestamptz[], %(numbers)s::text[],
            %(replayed)s::bigint[], %(first_at)s::timestamptz[], %(last_at)s::timestamptz[]
        ) AS acknowledged (series, project_id, hour, numbers, replayed, first_at, last_at)
    """
    parameters = {
        "series": [each.series for each in acknowledgements],
        "project_ids": [each.project_id for each in acknowledgements],
        "hours": [datetime.fromtimestamp(each.hour_began_at, UTC) for each in acknowledgements],
        "numbers": [multirange(each.runs) for each in acknowledgements],
        "replayed": [each.replayed for each in acknowledgements],
        "first_at": [datetime.fromtimestamp(each.first_at, UTC) for each in acknowledgements],
        "last_at": [datetime.fromtimestamp(each.last_at, UTC) for each in acknowledgements],
    }
    connection.execute(sql, parameters)


Sightings = Mapping[tuple[str, Outcome], Sequence[Run]]
"""The numbers that a worker saw, by series and by what became of their events."""


def insert_sightings(connection: Connection, sightings: Sightings) -> None:
    """Keep them; in the transaction that does with the events what they say."""
    if not sightings:
        return
    sql = """
        INSERT INTO sightings (series, outcome, numbers)
        SELECT series, outcome, numbers::int8multirange
        FROM unnest(%(series)s::text[], %(outcomes)s::text[], %(numbers)s::text[]) AS seen (series, outcome, numbers)
    """
    parameters = {
        "series": [series for series, _ in sightings],
        "outcomes": [outcome for _, outcome in sightings],
        "numbers": [multirange(runs) for runs in sightings.values()],
    }
    connection.execute(sql, parameters)


def try_ledger_lock(connection: Connection) -> bool:
    """Take the lock if it is free, until the transaction ends."""
    sql = "SELECT pg_try_advisory_xact_lock(%(key)s)"
    return bool(one_value(connection, sql, {"key": LEDGER_LOCK}))


def fold_sightings(connection: Connection) -> None:
    """Bring all sightings into their series, and what was thought lost and has been seen out of the losses."""
    fold = """
        WITH taken AS (DELETE FROM sightings RETURNING series, outcome, numbers),
        seen AS (
            SELECT series,
                   coalesce(range_agg(run) FILTER (WHERE outcome = 'stored'), '{}') AS stored,
                   coalesce(range_agg(run) FILTER (WHERE outcome = 'repeated'), '{}') AS repeated,
                   coalesce(range_agg(run) FILTER (WHERE outcome = 'set_aside'), '{}') AS set_aside
            FROM taken CROSS JOIN LATERAL unnest(numbers) AS run
            GROUP BY series
        )
        INSERT INTO series AS known (series, stored, repeated, set_aside)
        SELECT series, stored, repeated, set_aside FROM seen
        ON CONFLICT (series) DO UPDATE SET
            stored = known.stored + excluded.stored,
            repeated = known.repeated + excluded.repeated,
            set_aside = known.set_aside + excluded.set_aside,
            changed_at = now()
    """
    found_again = """
        WITH found AS (
            SELECT losses.id, losses.series,
                   losses.numbers * (series.stored + series.repeated + series.set_aside) AS numbers
            FROM losses JOIN series USING (series)
            WHERE losses.numbers && (series.stored + series.repeated + series.set_aside)
        ),
        acknowledged AS (
            UPDATE series SET acknowledged = series.acknowledged + found.numbers
            FROM (
                SELECT found.series, range_agg(run) AS numbers
                FROM found CROSS JOIN LATERAL unnest(found.numbers) AS run
                GROUP BY found.series
            ) AS found
            WHERE found.series = series.series
        )
        UPDATE losses SET numbers = losses.numbers - found.numbers FROM found WHERE found.id = losses.id
    """
    connection.execute(fold)
    connection.execute(found_again)
    connection.execute("DELETE FROM losses WHERE isempty(numbers)")


def drop_repeated_acknowledgements(connection: Connection) -> None:
    """Take out of acknowledgements what an earlier one has, or what is lost already.

    Web writes one again where PostgreSQL's answer to the first was lost.
    """
    sql = """
        UPDATE acknowledgements
        SET numbers = acknowledgements.numbers - known.numbers
        FROM (
            SELECT later.id, range_agg(run) AS numbers
            FROM acknowledgements AS later
            JOIN (
                SELECT id, series, numbers FROM acknowledgements
                UNION ALL
                SELECT 0, series, numbers FROM losses
            ) AS earlier ON earlier.series = later.series AND earlier.id < later.id AND earlier.numbers && later.numbers
            CROSS JOIN LATERAL unnest(earlier.numbers) AS run
            GROUP BY later.id
        ) AS known
        WHERE known.id = acknowledgements.id
    """
    connection.execute(sql)


def fold_acknowledgements(connection: Connection) -> None:
    """Bring those acknowledgements into their series of which nothing is missing."""
    sql = """
        WITH settled AS (
            DELETE FROM acknowledgements
            WHERE isempty(numbers)
               OR EXISTS (
                   SELECT FROM series
                   WHERE series.series = acknowledgements.series
                     AND acknowledgements.numbers
                         <@ (series.stored + series.repeated + series.set_aside + series.acknowledged)
               )
            RETURNING series, project_id, hour, numbers, replayed
        ),
        replays AS (
            SELECT series, min(project_id) AS project_id, min(hour) AS hour, sum(replayed)::bigint AS replayed
            FROM settled
            GROUP BY series
        ),
        acknowledged AS (
            SELECT series, range_agg(run) AS numbers
            FROM settled CROSS JOIN LATERAL unnest(numbers) AS run
            GROUP BY series
        )
        INSERT INTO series AS known (series, project_id, hour, acknowledged, replayed)
        SELECT series, project_id, hour, coalesce(acknowledged.numbers, '{}'), replayed
        FROM replays LEFT JOIN acknowledged USING (series)
        ON CONFLICT (series) DO UPDATE SET
            project_id = excluded.project_id,
            hour = least(known.hour, excluded.hour),
            acknowledged = known.acknowledged + excluded.acknowledged,
            replayed = known.replayed + excluded.replayed,
            changed_at = now()
    """
    connection.execute(sql)


@dataclass(frozen=True, slots=True, kw_only=True)
class Unsettled:
    """An acknowledgement of which some numbers were not seen."""

    id: int
    series: str


def select_unsettled(connection: Connection) -> list[Unsettled]:
    sql = "SELECT id, series FROM acknowledgements"
    return all_rows(connection, Unsettled, sql)


def insert_losses(connection: Connection, unsettled: Sequence[Unsettled], buffered: Mapping[str, Sequence[Run]]) -> int:
    """Of these acknowledgements, move what was neither seen nor is `buffered` to the losses; returns how many events.

    `buffered` is what the buffer held after `unsettled` was read, and all that was seen before that must be folded:
    then no event is taken for lost, whatever else goes on, because it leaves the buffer after it was seen.
    """
    sql = f"""
        WITH {MISSING},
        lost AS (
            UPDATE acknowledgements
            SET numbers = acknowledgements.numbers - missing.numbers
            FROM missing
            WHERE missing.id = acknowledgements.id AND NOT isempty(missing.numbers)
            RETURNING acknowledgements.series, acknowledgements.project_id, acknowledgements.hour, missing.numbers,
                      acknowledgements.first_at, acknowledgements.last_at
        ),
        inserted AS (
            INSERT INTO losses (series, project_id, hour, numbers, first_at, last_at)
            SELECT series, project_id, hour, numbers, first_at, last_at FROM lost
            RETURNING numbers
        )
        SELECT coalesce(sum(upper(run) - lower(run)), 0)::bigint FROM inserted CROSS JOIN LATERAL unnest(numbers) AS run
    """
    return int(one_value(connection, sql, missing_parameters([each.id for each in unsettled], buffered)))


def delete_series(connection: Connection, before: datetime) -> int:
    """Delete what is known of series that began before a time, and have not changed since; returns how many.

    Not those of which something is missing: losses stay until the end of days.
    """
    sql = """
        DELETE FROM series
        WHERE changed_at < %(before)s AND (hour IS NULL OR hour < %(before)s)
          AND NOT EXISTS (SELECT FROM acknowledgements WHERE acknowledgements.series = series.series)
          AND NOT EXISTS (SELECT FROM losses WHERE losses.series = series.series)
    """
    return connection.execute(sql, {"before": before}).rowcount

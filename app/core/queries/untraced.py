"""Acknowledged events that somebody took who writes nothing down: neither seen nor lost, as far as is known."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from app.core.acknowledgements import Run
from app.core.database import Connection
from app.core.queries.ledger import Unsettled
from app.core.queries.missing_events import MISSING, missing_parameters
from app.core.queries.rows import one_row, one_value


def settle_untraced(
    connection: Connection,
    unsettled: Sequence[Unsettled],
    buffered: Mapping[str, Sequence[Run]],
    *,
    older_than_seconds: float,
) -> int:
    """Settle what of these acknowledgements was neither seen nor is buffered, and is so old; returns how many events.

    Their numbers count as acknowledged in their series, without an outcome, until somebody sees them after all.
    `unsettled` and `buffered` are those of insert_losses.
    """
    sql = f"""
        WITH {MISSING},
        untraced AS (
            SELECT series, project_id, hour, numbers
            FROM missing
            WHERE first_at < now() - make_interval(secs => %(older_than_seconds)s)
        ),
        settled AS (
            SELECT series, min(project_id) AS project_id, min(hour) AS hour, range_agg(run) AS numbers
            FROM untraced CROSS JOIN LATERAL unnest(numbers) AS run
            GROUP BY series
        ),
        kept AS (
            INSERT INTO series AS known (series, project_id, hour, acknowledged)
            SELECT series, project_id, hour, numbers FROM settled
            ON CONFLICT (series) DO UPDATE SET
                project_id = excluded.project_id,
                hour = least(known.hour, excluded.hour),
                acknowledged = known.acknowledged + excluded.acknowledged,
                changed_at = now()
        )
        SELECT coalesce(sum(upper(run) - lower(run)), 0)::bigint FROM settled CROSS JOIN LATERAL unnest(numbers) AS run
    """
    parameters = missing_parameters([each.id for each in unsettled], buffered) | {
        "older_than_seconds": older_than_seconds
    }
    return int(one_value(connection, sql, parameters))


@dataclass(frozen=True, slots=True, kw_only=True)
class Untraced:
    """How many events left no trace, of all that the ledger still has, and their first hour; None where none did."""

    events: int
    since: datetime | None


def select_untraced(connection: Connection, *, project_id: int | None = None) -> Untraced:
    """Of one project, or of all."""
    # the condition is that of an index, which has few rows or none: never is the whole ledger read
    sql = """
        SELECT coalesce(sum(upper(run) - lower(run)), 0)::bigint AS events, min(hour) AS since
        FROM series CROSS JOIN LATERAL unnest(acknowledged - stored - repeated - set_aside) AS run
        WHERE has_untraced
          AND (%(project_id)s::integer IS NULL OR project_id = %(project_id)s)
    """
    untraced = one_row(connection, Untraced, sql, {"project_id": project_id})
    assert untraced is not None
    return untraced

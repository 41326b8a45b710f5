"""The ledger by project and hour, and the same of raw events beside their rollups."""

from dataclasses import dataclass
from datetime import datetime

from app.core.database import Connection
from app.core.queries.distribution import is_distributed
from app.core.queries.rows import all_rows
from app.core.rollups.grains import Grain
from app.core.rollups.latency_histogram import ENTRY_BYTES


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerHour:
    """What became of the events of a project that were acknowledged in an hour, by the clocks of the web processes.

    `accepted` = `stored` + `repeated` + `set_aside` + `waiting` + `lost` + `untraced`; the last were taken by somebody
    who writes nothing down. Besides: `replayed` were answered as repeats by their Idempotency-Key alone, and of
    `unanswered` no client was told, as far as is known, but they were seen.
    """

    project: str
    hour: datetime
    accepted: int
    stored: int
    repeated: int
    set_aside: int
    waiting: int
    lost: int
    untraced: int
    replayed: int
    unanswered: int


SELECT_LEDGER = """
WITH heads AS (
    SELECT series, project_id, hour, replayed FROM series
    UNION ALL
    SELECT series, project_id, hour, replayed FROM acknowledgements
    UNION ALL
    SELECT series, project_id, hour, 0 FROM losses
),
known AS (
    -- what was acknowledged after the end of its hour belongs to the hour in which its series began
    SELECT series, min(project_id) AS project_id, min(hour) AS hour, sum(replayed)::bigint AS replayed
    FROM heads
    GROUP BY series
    HAVING min(hour) >= %(since)s
),
runs AS (
    SELECT series, unnest(acknowledged) AS run, false AS is_lost FROM series
    UNION ALL
    SELECT series, unnest(numbers), false FROM acknowledgements
    UNION ALL
    SELECT series, unnest(numbers), true FROM losses
),
accepted AS (
    SELECT series, range_agg(run) AS numbers, coalesce(range_agg(run) FILTER (WHERE is_lost), '{}') AS lost
    FROM runs
    GROUP BY series
),
parts AS (
    SELECT known.project_id, known.hour,
           int8multirange(int8range(0, known.replayed)) AS replayed,
           coalesce(accepted.numbers, '{}') AS accepted,
           coalesce(accepted.lost, '{}') AS lost,
           coalesce(series.stored, '{}') AS stored,
           coalesce(series.repeated - series.stored, '{}') AS repeated,
           coalesce(series.set_aside - series.stored - series.repeated, '{}') AS set_aside,
           coalesce(series.acknowledged - series.stored - series.repeated - series.set_aside, '{}') AS untraced
    FROM known
    LEFT JOIN accepted USING (series)
    LEFT JOIN series USING (series)
),
counts AS (
    SELECT project_id, hour, kind, upper(run) - lower(run) AS events
    FROM parts
    CROSS JOIN LATERAL (
        VALUES ('accepted', accepted),
               ('stored', accepted * stored),
               ('repeated', accepted * repeated),
               ('set_aside', accepted * set_aside),
               ('lost', lost),
               ('untraced', untraced),
               ('waiting', accepted - stored - repeated - set_aside - lost - untraced),
               ('replayed', replayed),
               ('unanswered', stored + repeated + set_aside - accepted)
    ) AS kinds (kind, runs)
    CROSS JOIN LATERAL unnest(runs) AS run
)
SELECT projects.name AS project, hour,
       coalesce(sum(events) FILTER (WHERE kind = 'accepted'), 0)::bigint AS accepted,
       coalesce(sum(events) FILTER (WHERE kind = 'stored'), 0)::bigint AS stored,
       coalesce(sum(events) FILTER (WHERE kind = 'repeated'), 0)::bigint AS repeated,
       coalesce(sum(events) FILTER (WHERE kind = 'set_aside'), 0)::bigint AS set_aside,
       coalesce(sum(events) FILTER (WHERE kind = 'waiting'), 0)::bigint AS waiting,
       coalesce(sum(events) FILTER (WHERE kind = 'lost'), 0)::bigint AS lost,
       coalesce(sum(events) FILTER (WHERE kind = 'untraced'), 0)::bigint AS untraced,
       coalesce(sum(events) FILTER (WHERE kind = 'replayed'), 0)::bigint AS replayed,
       coalesce(sum(events) FILTER (WHERE kind = 'unanswered'), 0)::bigint AS unanswered
FROM counts
JOIN projects ON projects.id = counts.project_id
WHERE %(project_id)s::integer IS NULL OR projects.id = %(project_id)s
GROUP BY projects.name, hour
ORDER BY hour, projects.name
"""


def select_ledger(connection: Connection, *, since: datetime, project_id: int | None = None) -> list[LedgerHour]:
    """The hours that begin at `since` or later, the oldest first; of one project, or of all."""
    return all_rows(connection, LedgerHour, SELECT_LEDGER, {"since": since, "project_id": project_id})


@dataclass(frozen=True, slots=True, kw_only=True)
class RecountedHour:
    """How many events of a project occurred in an hour, counted, and by the rollups; where the two differ."""

    project: str
    hour: datetime
    events: int
    rolled_up: int


_LOOKS = 3


def select_miscounted_hours(
    connection: Connection, *, since: datetime, project_id: int | None = None
) -> list[RecountedHour]:
    """The hours whose rollups do not hold as many events as there are; reads all events that occurred since then.

    Where these are spread over nodes, each node has a moment of its own, and what is just being stored may be on one
    and not on another: there only what is as wrong in several looks is taken for wrong.
    """
    found = _miscounted_hours(connection, since, project_id)
    for _ in range(_LOOKS - 1 if found and is_distributed(connection) else 0):
        wrong_by = {(row.project, row.hour): row.events - row.rolled_up for row in found}
        found = [
            row
            for row in _miscounted_hours(connection, since, project_id)
            if wrong_by.get((row.project, row.hour)) == row.events - row.rolled_up
        ]
    return found


def _miscounted_hours(connection: Connection, since: datetime, project_id: int | None) -> list[RecountedHour]:
    sql = """
        WITH counted AS (
            SELECT project_id, date_trunc('hour', occurred_at, 'UTC') AS hour, count(*) AS events
            FROM events
            WHERE day >= (%(since)s::timestamptz AT TIME ZONE 'UTC')::date AND occurred_at >= %(since)s
            GROUP BY project_id, hour
        ),
        rolled_up AS (
            SELECT project_id, hour, sum(events) AS events
            FROM (
                SELECT project_id, bucket_start AS hour, events
                FROM rollups
                WHERE prompt_key = 0 AND version_key = 0 AND grain = 'hour'
                UNION ALL
                SELECT project_id, date_trunc('hour', bucket_start, 'UTC'), events
                FROM rollup_additions
            ) AS parts
            WHERE hour >= %(since)s
            GROUP BY project_id, hour
        )
        SELECT projects.name AS project, hour,
               coalesce(counted.events, 0) AS events, coalesce(rolled_up.events, 0) AS rolled_up
        FROM counted
        FULL JOIN rolled_up USING (project_id, hour)
        JOIN projects ON projects.id = project_id
        WHERE counted.events IS DISTINCT FROM rolled_up.events
          AND (%(project_id)s::integer IS NULL OR project_id = %(project_id)s)
        ORDER BY hour, project
    """
    return all_rows(connection, RecountedHour, sql, {"since": since, "project_id": project_id})


@dataclass(frozen=True, slots=True, kw_only=True)
class DamagedRollups:
    """How many latency histograms of a project, of one grain and time, are not whole."""

    project: str
    grain: Grain
    bucket_start: datetime
    histograms: int


def select_damaged_rollups(
    connection: Connection, *, since: datetime, project_id: int | None = None
) -> list[DamagedRollups]:
    """The minutes, hours and days, from the day of `since` on, whose percentiles nobody can tell."""
    sql = """
        SELECT projects.name AS project, grain, bucket_start, count(*) AS histograms
        FROM (
            SELECT project_id, grain, bucket_start, latency_histogram FROM rollups
            UNION ALL
            SELECT project_id, 'minute', bucket_start, latency_histogram FROM rollup_additions
        ) AS parts
        JOIN projects ON projects.id = project_id
        WHERE octet_length(latency_histogram) %% %(entry_bytes)s <> 0
          AND bucket_start >= date_trunc('day', %(since)s::timestamptz, 'UTC')
          AND (%(project_id)s::integer IS NULL OR project_id = %(project_id)s)
        GROUP BY projects.name, grain, bucket_start
        ORDER BY bucket_start, project, grain
    """
    parameters = {"entry_bytes": ENTRY_BYTES, "since": since, "project_id": project_id}
    return all_rows(connection, DamagedRollups, sql, parameters)

"""What batches add to the rollups, by version and minute: appended by drains, and taken out by the fold and recounts.

Rollups and additions together are all stored events, at every moment and at every level: who takes additions out adds
them to the rollups in the same transaction.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from app.core.database import Connection
from app.core.queries.binary_copy import TIMESTAMP_MICROSECONDS, timestamp_microseconds
from app.core.queries.rollups import MEASURE_TYPES, MEASURES, measure_values, tell_of_damage
from app.core.queries.rows import all_rows, all_values, one_value
from app.core.queries.session_locks import release_session_lock, wait_for_session_lock
from app.core.rollups.latency_histogram import ENTRY_BYTES, decode_histogram
from app.core.rollups.rollup import ByMinute, Rollup, RollupKey, Sums

FOLD_LOCK = 0x70615F66
"""The first number of advisory locks of our own, "pa_f"; the second is the project."""

COPY_ADDITIONS = f"""
COPY rollup_additions (project_id, prompt_key, version_key, bucket_start, {MEASURES}) FROM STDIN (FORMAT BINARY)
"""
ADDITION_TYPES = ("int4", "int8", "int8", TIMESTAMP_MICROSECONDS, *MEASURE_TYPES)


def append_additions(connection: Connection, by_minute: ByMinute) -> None:
    """Append what the events of this transaction add."""
    with connection.cursor() as cursor, cursor.copy(COPY_ADDITIONS) as copy:
        copy.set_types(ADDITION_TYPES)
        for key, rollup in by_minute.items():
            bucket_start = timestamp_microseconds(key.bucket_start_seconds * 1_000)
            copy.write_row((key.project_id, key.prompt_key, key.version_key, bucket_start, *measure_values(rollup)))


def select_projects_to_fold(connection: Connection, *, after: timedelta, above_rows: int) -> list[int]:
    """Projects with additions that are older than `after`, or with more than `above_rows`; the oldest first."""
    sql = """
        SELECT project_id
        FROM rollup_additions
        GROUP BY project_id
        HAVING min(added_at) <= clock_timestamp() - %(after)s OR count(*) > %(above_rows)s
        ORDER BY min(added_at)
    """
    return all_values(connection, sql, {"after": after, "above_rows": above_rows})


def try_fold_lock(connection: Connection, project_id: int) -> bool:
    """Take it until the end of the transaction, where nobody else folds or recounts the project."""
    sql = "SELECT pg_try_advisory_xact_lock(%(key)s, %(project_id)s)"
    return bool(one_value(connection, sql, {"key": FOLD_LOCK, "project_id": project_id}))


def take_fold_lock(connection: Connection, project_id: int) -> None:
    """Take it until the end of the transaction, after whoever folds or recounts the project now."""
    connection.execute(
        "SELECT pg_advisory_xact_lock(%(key)s, %(project_id)s)", {"key": FOLD_LOCK, "project_id": project_id}
    )


@contextmanager
def fold_locked(connection: Connection, project_id: int) -> Iterator[None]:
    """Nobody folds or recounts the project during the block, which may hold several transactions.

    Waited for before any of these begins, so that its snapshot is a later one.
    """
    wait_for_session_lock(connection, FOLD_LOCK, project_id)
    try:
        yield
    finally:
        release_session_lock(connection, FOLD_LOCK, project_id)


IS_SPARSE = """
SELECT pg_relation_size(relid) > %(above_bytes)s AND (n_live_tup + n_dead_tup) * %(row_bytes)s < pg_relation_size(relid)
FROM pg_stat_user_tables
WHERE relid = 'rollup_additions'::regclass
"""
SPARSE_ROW_BYTES = 1_000
"""A row takes a quarter of that."""
SHRINK = "VACUUM (FULL, ANALYZE) rollup_additions"


def shrink_additions(connection: Connection, *, above_bytes: int, lock_timeout_ms: int) -> bool:
    """Give back what the table has grown far beyond its rows, as during a long snapshot; whether there was anything.

    Every question reads the whole table. Drains and questions wait for the moment that it takes to write the few rows
    anew. Raises psycopg's LockNotAvailable where the table is busy for so long; call it again later. The connection is
    one in autocommit mode.
    """
    parameters = {"above_bytes": above_bytes, "row_bytes": SPARSE_ROW_BYTES}
    if not one_value(connection, IS_SPARSE, parameters):
        return False
    set_lock_timeout = "SELECT set_config('lock_timeout', %(timeout)s, false)"
    before = one_value(connection, "SELECT current_setting('lock_timeout')")
    connection.execute(set_lock_timeout, {"timeout": str(lock_timeout_ms)})
    try:
        connection.execute(SHRINK)
    finally:
        connection.execute(set_lock_timeout, {"timeout": before})
    return True


# A histogram that is not whole would shift the entries of all behind it, so it is left out and told of.
# IS TRUE keeps the planner from a join: an upkeep that came just after a fold has told it that the table is nearly
# empty, and then it would compare each addition with each minute, one by one.
TAKE_ADDITIONS = """
WITH chosen AS MATERIALIZED (
    SELECT version_key, bucket_start
    FROM (
        SELECT version_key, bucket_start
        FROM rollup_additions
        WHERE project_id = %(project_id)s
          AND (%(start)s::timestamptz IS NULL OR bucket_start >= %(start)s)
          AND (%(end)s::timestamptz IS NULL OR bucket_start < %(end)s)
        LIMIT %(max_rows)s
    ) AS candidates
    GROUP BY version_key, bucket_start
    ORDER BY version_key, bucket_start
    LIMIT %(max_minutes)s
),
taken AS (
    DELETE FROM rollup_additions
    WHERE project_id = %(project_id)s
      AND ((version_key, bucket_start) IN (SELECT version_key, bucket_start FROM chosen)) IS TRUE
    RETURNING prompt_key, version_key, bucket_start, events,
              latency_count, latency_sum, latency_sum_squares, latency_min, latency_max,
              latency_log_sum, latency_log_sum_squares, latency_histogram,
              octet_length(latency_histogram) %% %(entry_bytes)s = 0 AS is_whole,
              cost_count, cost_sum, cost_sum_squares, cost_min, cost_max,
              score_count, score_sum, score_sum_squares, score_min, score_max
)
SELECT prompt_key, version_key, bucket_start, count(*) AS additions, sum(events)::bigint AS events,
       sum(latency_count)::bigint AS latency_count, sum(latency_sum) AS latency_sum,
       sum(latency_sum_squares) AS latency_sum_squares,
       min(latency_min) AS latency_min, max(latency_max) AS latency_max,
       sum(latency_log_sum) AS latency_log_sum, sum(latency_log_sum_squares) AS latency_log_sum_squares,
       coalesce(string_agg(latency_histogram, '') FILTER (WHERE is_whole), '') AS latency_histogram,
       bool_and(is_whole) AS is_whole,
       sum(cost_count)::bigint AS cost_count, sum(cost_sum) AS cost_sum, sum(cost_sum_squares) AS cost_sum_squares,
       min(cost_min) AS cost_min, max(cost_max) AS cost_max,
       sum(score_count)::bigint AS score_count, sum(score_sum) AS score_sum,
       sum(score_sum_squares) AS score_sum_squares,
       min(score_min) AS score_min, max(score_max) AS score_max
FROM taken
GROUP BY prompt_key, version_key, bucket_start
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class TakenMinute:
    """What was taken out of one version and minute, from so many `additions`."""

    prompt_key: int
    version_key: int
    bucket_start: datetime
    additions: int
    events: int
    latency_count: int
    latency_sum: Decimal
    latency_sum_squares: Decimal
    latency_min: Decimal | None
    latency_max: Decimal | None
    latency_log_sum: float
    latency_log_sum_squares: float
    latency_histogram: bytes
    is_whole: bool
    cost_count: int
    cost_sum: Decimal
    cost_sum_squares: Decimal
    cost_min: Decimal | None
    cost_max: Decimal | None
    score_count: int
    score_sum: Decimal
    score_sum_squares: Decimal
    score_min: Decimal | None
    score_max: Decimal | None


@dataclass(frozen=True, slots=True)
class Taken:
    """What to add to the rollups now. `is_all` is False where one of the limits has left some in the table."""

    by_minute: ByMinute
    is_all: bool


def take_additions(
    connection: Connection,
    project_id: int,
    *,
    start: datetime | None = None,
    end: datetime | None = None,
    max_rows: int | None = None,
    max_minutes: int | None = None,
) -> Taken:
    """Take a project's additions out of the table, those of minutes from `start` on and before `end` where given.

    At most so many minutes of versions, which are those of at most `max_rows` of them, and each whole. The transaction
    must hold the project's lock, and add them to the rollups.
    """
    parameters = {
        "project_id": project_id,
        "start": start,
        "end": end,
        "max_rows": max_rows,
        "max_minutes": max_minutes,
        "entry_bytes": ENTRY_BYTES,
    }
    rows = all_rows(connection, TakenMinute, TAKE_ADDITIONS, parameters, binary=True)
    is_all = (max_rows is None or sum(row.additions for row in rows) < max_rows) and (
        max_minutes is None or len(rows) < max_minutes
    )
    return Taken({_key(project_id, row): _rollup(project_id, row) for row in rows}, is_all)


def _key(project_id: int, row: TakenMinute) -> RollupKey:
    return RollupKey(project_id, row.prompt_key, row.version_key, "minute", int(row.bucket_start.timestamp()))


def _rollup(project_id: int, row: TakenMinute) -> Rollup:
    if not row.is_whole:
        tell_of_damage(project_id, row.prompt_key, row.version_key, "minute", row.bucket_start)
    return Rollup(
        row.events,
        Sums(row.latency_count, row.latency_sum, row.latency_sum_squares, row.latency_min, row.latency_max),
        row.latency_log_sum,
        row.latency_log_sum_squares,
        decode_histogram(row.latency_histogram),
        Sums(row.cost_count, row.cost_sum, row.cost_sum_squares, row.cost_min, row.cost_max),
        Sums(row.score_count, row.score_sum, row.score_sum_squares, row.score_min, row.score_max),
        is_damaged=not row.is_whole,
    )

"""Writing rollups: additions are staged by binary COPY and merged into their rows in key order."""

import functools
import logging
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import datetime

from psycopg.rows import class_row

from app.core.database import Connection
from app.core.pooled_connection import at_commit
from app.core.queries.binary_copy import TIMESTAMP_MICROSECONDS, timestamp_microseconds
from app.core.queries.distribution import is_distributed
from app.core.queries.rows import all_rows
from app.core.rollups.grains import Grain
from app.core.rollups.latency_histogram import COMPACT_ABOVE_BYTES, compact, is_whole
from app.core.rollups.rollup import Rollup, RollupKey
from app.core.runbook import runbook_entry

log = logging.getLogger(__name__)

_KEY = "project_id, prompt_key, version_key, grain, bucket_start"
MEASURES = """events, latency_count, latency_sum, latency_sum_squares, latency_min, latency_max,
    latency_log_sum, latency_log_sum_squares, latency_histogram,
    cost_count, cost_sum, cost_sum_squares, cost_min, cost_max,
    score_count, score_sum, score_sum_squares, score_min, score_max"""

KEY_TYPES = ("int4", "int8", "int8", "text", TIMESTAMP_MICROSECONDS, "int4")
MEASURE_TYPES = (
    "int8",
    *("int8", "numeric", "numeric", "numeric", "numeric", "float8", "float8", "bytea"),
    *("int8", "numeric", "numeric", "numeric", "numeric"),
    *("int8", "numeric", "numeric", "numeric", "numeric"),
)

# Most rows of a batch count the same events as another one (a minute, its hour, its day): their values are sent once.
INCOMING_VALUES = f"SELECT 0 AS number, {MEASURES} FROM rollups WITH NO DATA"
INCOMING_KEYS = f"SELECT {_KEY}, 0 AS number FROM rollups WITH NO DATA"


def create_incoming_rollups(connection: Connection) -> None:
    """The staging tables of this connection: temporary, so they cost no write-ahead log."""
    end = at_commit(connection)
    connection.execute(f"CREATE TEMPORARY TABLE IF NOT EXISTS incoming_rollup_values {end} AS {INCOMING_VALUES}")
    connection.execute(f"CREATE TEMPORARY TABLE IF NOT EXISTS incoming_rollup_keys {end} AS {INCOMING_KEYS}")


COPY_INCOMING_VALUES = f"COPY incoming_rollup_values (number, {MEASURES}) FROM STDIN (FORMAT BINARY)"
COPY_INCOMING_KEYS = f"COPY incoming_rollup_keys ({_KEY}, number) FROM STDIN (FORMAT BINARY)"

# ORDER BY: the row locks of two workers must come in the same order; older releases do without the fold's lock.
# least and greatest ignore nulls.
# The outer SELECT gives back only the few rows whose histogram grew long.
MERGE_ROLLUPS = f"""
WITH merged AS (
    INSERT INTO rollups AS stored ({_KEY}, {MEASURES})
    SELECT {_KEY}, {MEASURES} FROM incoming_rollup_keys JOIN incoming_rollup_values USING (number)
    ORDER BY {_KEY}
    ON CONFLICT ({_KEY}) DO UPDATE SET
        events = stored.events + excluded.events,
        latency_count = stored.latency_count + excluded.latency_count,
        latency_sum = stored.latency_sum + excluded.latency_sum,
        latency_sum_squares = stored.latency_sum_squares + excluded.latency_sum_squares,
        latency_min = least(stored.latency_min, excluded.latency_min),
        latency_max = greatest(stored.latency_max, excluded.latency_max),
        latency_log_sum = stored.latency_log_sum + excluded.latency_log_sum,
        latency_log_sum_squares = stored.latency_log_sum_squares + excluded.latency_log_sum_squares,
        latency_histogram = stored.latency_histogram || excluded.latency_histogram,
        cost_count = stored.cost_count + excluded.cost_count,
        cost_sum = stored.cost_sum + excluded.cost_sum,
        cost_sum_squares = stored.cost_sum_squares + excluded.cost_sum_squares,
        cost_min = least(stored.cost_min, excluded.cost_min),
        cost_max = greatest(stored.cost_max, excluded.cost_max),
        score_count = stored.score_count + excluded.score_count,
        score_sum = stored.score_sum + excluded.score_sum,
        score_sum_squares = stored.score_sum_squares + excluded.score_sum_squares,
        score_min = least(stored.score_min, excluded.score_min),
        score_max = greatest(stored.score_max, excluded.score_max)
    RETURNING {_KEY}, latency_histogram
)
SELECT {_KEY}, latency_histogram
FROM merged
WHERE octet_length(latency_histogram) > %(compact_above_bytes)s
"""


def merge_rollups(connection: Connection, rows: Iterable[tuple[RollupKey, Rollup]]) -> None:
    """Add these rows to what is stored. Must run inside the transaction that takes them out of the additions.

    The rows it touches stay locked until that transaction ends, so do it last.
    """
    numbers: dict[int, int] = {}
    distinct: list[Rollup] = []
    with connection.cursor(row_factory=class_row(StoredHistogram)) as cursor:
        with cursor.copy(COPY_INCOMING_KEYS) as copy:
            copy.set_types(KEY_TYPES)
            for key, rollup in rows:
                number = numbers.setdefault(id(rollup), len(distinct))
                if number == len(distinct):
                    distinct.append(rollup)
                bucket_start = timestamp_microseconds(key.bucket_start_seconds * 1_000)
                copy.write_row((key.project_id, key.prompt_key, key.version_key, key.grain, bucket_start, number))
        with cursor.copy(COPY_INCOMING_VALUES) as copy:
            copy.set_types(("int4", *MEASURE_TYPES))
            for number, rollup in enumerate(distinct):
                copy.write_row((number, *measure_values(rollup)))
        long = cursor.execute(MERGE_ROLLUPS, {"compact_above_bytes": COMPACT_ABOVE_BYTES}, binary=True).fetchall()
    _compact(connection, long)


def measure_values(rollup: Rollup) -> tuple[object, ...]:
    """The values of MEASURES, in their order."""
    latency, cost, score = rollup.latency, rollup.cost, rollup.score
    return (
        rollup.events,
        *(latency.count, latency.sum, latency.sum_squares, latency.min, latency.max),
        *(rollup.latency_log_sum, rollup.latency_log_sum_squares, rollup.latency_histogram),
        *(cost.count, cost.sum, cost.sum_squares, cost.min, cost.max),
        *(score.count, score.sum, score.sum_squares, score.min, score.max),
    )


SELECT_HISTOGRAMS = """
SELECT project_id, prompt_key, version_key, grain, bucket_start, latency_histogram
FROM rollups
WHERE project_id = %(project_id)s AND version_key = 0 AND grain = %(grain)s AND bucket_start = %(bucket_start)s
  AND octet_length(latency_histogram) > %(longer_than_bytes)s
ORDER BY prompt_key
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredHistogram:
    """The histogram of one rollup row."""

    project_id: int
    prompt_key: int
    version_key: int
    grain: Grain
    bucket_start: datetime
    latency_histogram: bytes


def compact_bucket(
    connection: Connection, project_id: int, grain: Grain, bucket_start: datetime, *, longer_than_bytes: int
) -> None:
    """Compact the longer histograms of the project and its prompts in an hour or a day; worth it when that is over.

    Long ranges read so many of these that their length matters: a month of a hundred prompts takes half the time.
    """
    parameters = {
        "project_id": project_id,
        "grain": grain,
        "bucket_start": bucket_start,
        "longer_than_bytes": longer_than_bytes,
    }
    with connection.transaction():
        _compact(connection, all_rows(connection, StoredHistogram, SELECT_HISTOGRAMS, parameters, binary=True))


# A histogram that has grown since it was read keeps its length.
UPDATE_HISTOGRAM = """
UPDATE rollups
SET latency_histogram = %(compact)s
WHERE project_id = %(project_id)s AND prompt_key = %(prompt_key)s AND version_key = %(version_key)s
  AND grain = %(grain)s AND bucket_start = %(bucket_start)s AND latency_histogram = %(latency_histogram)s
"""


def _compact(connection: Connection, rows: Iterable[StoredHistogram]) -> None:
    updates = [
        {**asdict(row), "compact": packed}
        for row in rows
        if _is_whole(row) and len(packed := compact(row.latency_histogram)) < len(row.latency_histogram)
    ]
    if updates:
        connection.cursor().executemany(UPDATE_HISTOGRAM, updates)


def _is_whole(row: StoredHistogram) -> bool:
    """False where the stored row was damaged, which is no fault of the events that are added to it."""
    if is_whole(row.latency_histogram):
        return True
    tell_of_damage(row.project_id, row.prompt_key, row.version_key, row.grain, row.bucket_start)
    return False


@functools.lru_cache(maxsize=1_000)
def tell_of_damage(project_id: int, prompt_key: int, version_key: int, grain: Grain, bucket_start: datetime) -> None:
    """Once for each row in each process: fold after fold comes by it."""
    log.error(
        "a latency histogram is damaged; `python -m app recount` makes it anew from the raw events",
        extra={
            "project_id": project_id,
            "prompt_key": prompt_key,
            "version_key": version_key,
            "grain": grain,
            "bucket_start": bucket_start.isoformat(),
            "see": runbook_entry("rollups_wrong"),
        },
    )


DELETE_MINUTES = """
DELETE FROM rollups_minute
WHERE ctid = ANY (ARRAY(
    SELECT ctid FROM rollups_minute WHERE bucket_start < %(before)s LIMIT %(limit)s FOR UPDATE SKIP LOCKED
))
"""
# Citus has neither places of rows nor SKIP LOCKED for many shards: so a fold of late events may hold this up.
DELETE_MINUTES_ON_NODES = """
DELETE FROM rollups_minute
WHERE bucket_start < %(before)s AND (project_id, prompt_key, version_key, bucket_start) IN (
    SELECT project_id, prompt_key, version_key, bucket_start
    FROM rollups_minute
    WHERE bucket_start < %(before)s
    LIMIT %(limit)s
)
"""


def delete_minutes(connection: Connection, before: datetime, *, limit: int) -> int:
    """Delete up to `limit` minute rollups that begin before a time; returns how many it deleted."""
    statement = DELETE_MINUTES_ON_NODES if is_distributed(connection) else DELETE_MINUTES
    return connection.execute(statement, {"before": before, "limit": limit}).rowcount

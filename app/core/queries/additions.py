"""What batches add to the rollups, by version and minute: appended by drains, folded into rollups now and then."""

from collections.abc import Iterable

from app.core.database import Connection
from app.core.queries.binary_copy import TIMESTAMP_MICROSECONDS, timestamp_microseconds
from app.core.queries.rollups import MEASURE_TYPES, MEASURES, measure_values
from app.core.rollups.rollup import Rollup, RollupKey

COPY_ADDITIONS = f"""
COPY rollup_additions (project_id, prompt_key, version_key, bucket_start, {MEASURES}) FROM STDIN (FORMAT BINARY)
"""
ADDITION_TYPES = ("int4", "int8", "int8", TIMESTAMP_MICROSECONDS, *MEASURE_TYPES)


def append_additions(connection: Connection, rows: Iterable[tuple[RollupKey, Rollup]]) -> None:
    """Append what the events of this transaction add: rows of versions by the minute."""
    with connection.cursor() as cursor, cursor.copy(COPY_ADDITIONS) as copy:
        copy.set_types(ADDITION_TYPES)
        for key, rollup in rows:
            bucket_start = timestamp_microseconds(key.bucket_start_seconds * 1_000)
            copy.write_row((key.project_id, key.prompt_key, key.version_key, bucket_start, *measure_values(rollup)))

"""What is not folded into the rollups yet: how much every question still sums up."""

from dataclasses import dataclass

from app.core.database import Connection
from app.core.queries.rows import one_row

COUNTED_ROWS = 1_000_000
"""They are counted no further: a table so long takes long enough to read, and says enough."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unfolded:
    """`rows`: up to COUNTED_ROWS. `oldest_age_seconds`: of those counted, 0 where there are none."""

    rows: int
    oldest_age_seconds: float


def select_unfolded(connection: Connection) -> Unfolded:
    """Of all projects. The table has no index: it is read once, as by every question."""
    sql = """
        SELECT count(*) AS rows,
               coalesce(greatest(0, extract(epoch FROM clock_timestamp() - min(added_at))), 0)::float8
                   AS oldest_age_seconds
        FROM (SELECT added_at FROM rollup_additions LIMIT %(counted_rows)s) AS counted
    """
    row = one_row(connection, Unfolded, sql, {"counted_rows": COUNTED_ROWS})
    assert row is not None
    return row

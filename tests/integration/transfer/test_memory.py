"""However many events a day has, an export holds as few of them in memory."""

from pathlib import Path

import pytest

from bench.transfer import fill, run
from tests.databases import empty_tables
from tests.drains import open_connection

FEW, MANY = 60_000, 180_000
GROWTH_MB = 40
"""All rows of the difference would take more than 100 MB."""


@pytest.mark.timeout(600)
def test_three_times_as_many_events_take_no_more_memory(other_url: str, tmp_path: Path):
    used_mb = []
    for events in (FEW, MANY):
        empty_tables(other_url)
        with open_connection(other_url) as connection:
            connection.execute("SET statement_timeout = 0")
            fill(connection, events, 1)
        out = tmp_path / str(events)
        used_mb.append(run(other_url, "export", "export", "--project", "bench", f"--out={out}").memory_mb)
    assert used_mb[1] - used_mb[0] < GROWTH_MB
    empty_tables(other_url)

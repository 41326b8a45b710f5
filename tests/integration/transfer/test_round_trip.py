"""What was exported and imported again is what it was, row for row."""

import csv
import hashlib
import json
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import pyarrow.parquet
import pytest

from app.core.transfer.manifest import FORMATS
from tests.databases import kept_connection
from tests.drains import open_connection
from tests.folds import fold_all
from tests.recount import assert_rollups_equal_a_recount
from tests.transfers import all_events, all_rollups, contents_of, manifest_in, store_project

DAYS_AGO = (0, 1, 3)
EVENTS_A_DAY = 60


@pytest.mark.parametrize("of_format", FORMATS)
def test_every_row_comes_back_as_it_was(of_format: str, export, import_into, here_and_there, tmp_path: Path):
    here, there = here_and_there
    store_project(here, "demo", DAYS_AGO, events_a_day=EVENTS_A_DAY)
    store_project(here, "of somebody else", DAYS_AGO)
    assert export(of_format=of_format).exit_code == 0
    imported = import_into()
    assert (imported.exit_code, imported.stdout.partition(";")[0]) == (
        0,
        "180 events of 3 days: 180 new, 0 were stored already",
    )
    before = all_events(here, "demo")
    assert len(before) == len(DAYS_AGO) * EVENTS_A_DAY
    assert all_events(there, "demo") == before
    with open_connection(there) as connection:
        assert assert_rollups_equal_a_recount(connection) == len(before)
    with open_connection(here) as connection:
        fold_all(connection)
    assert all_rollups(there, "demo") == all_rollups(here, "demo")
    assert export("--out", str(tmp_path / "copy"), of_format=of_format, database_url=there).exit_code == 0
    assert contents_of(tmp_path / "copy") == contents_of(tmp_path / "out")


def test_the_manifest_says_what_is_in_the_files(export, tmp_path: Path, database_url: str):
    store_project(database_url, "demo", DAYS_AGO)
    export(of_format="csv")
    manifest = manifest_in(tmp_path / "out")
    assert (manifest["project"], manifest["format"], manifest["is_complete"]) == ("demo", "csv", True)
    assert (manifest["schema_version"], manifest["events"], len(manifest["files"])) == (1, 90, 3)
    for file in manifest["files"]:
        path = tmp_path / "out" / file["name"]
        assert path.name == f"events-{file['day']}.csv"
        assert (path.stat().st_size, hashlib.sha256(path.read_bytes()).hexdigest()) == (file["bytes"], file["sha256"])
        with path.open(newline="") as opened:
            rows = list(csv.DictReader(opened))
        assert (len(rows), file["ledger_events"]) == (file["events"], file["events"])
        for name in ("latency_ms", "cost_usd", "score"):
            assert sum(Fraction(row[name]) for row in rows if row[name]) == Fraction(file[f"{name}_sum"])


def test_the_ledger_counts_what_the_manifest_counts(export, run, tmp_path: Path, database_url: str):
    store_project(database_url, "demo", DAYS_AGO)
    export()
    assert json.loads(run("ledger", "--hours", "200", "--json").stdout)["miscounted"] == []
    with kept_connection(database_url) as connection:
        counted = connection.execute("SELECT day::text, count(*) FROM events GROUP BY day ORDER BY day").fetchall()
    assert [(file["day"], file["events"]) for file in manifest_in(tmp_path / "out")["files"]] == counted


def test_parquet_has_decimals_that_add_up_and_beside_them_what_does_not_fit(export, tmp_path: Path, database_url: str):
    store_project(database_url, "demo", [1], events_a_day=60)
    export(of_format="parquet")
    (name,) = contents_of(tmp_path / "out")
    table = pyarrow.parquet.read_table(tmp_path / "out" / name)
    assert str(table.schema.field("cost_usd").type) == "decimal128(38, 18)"
    assert str(table.schema.field("occurred_at").type) == "timestamp[us, tz=UTC]"
    stored = {str(row[0]): row[11] for row in all_events(database_url, "demo")}
    for row in table.select(["event_id", "cost_usd", "cost_usd_exact"]).to_pylist():
        text = stored[row["event_id"]]
        if text is None or row["cost_usd_exact"] is None:
            assert (row["cost_usd"], row["cost_usd_exact"]) == (None if text is None else Decimal(text), None)
        else:
            assert row["cost_usd_exact"] == text
            assert row["cost_usd"] is None or abs(row["cost_usd"] - Decimal(text)) < Decimal("1e-18")

"""`export`: what it writes again and what it leaves, and when it says that something is wrong."""

import json
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from app.core.queries.day_totals import DayTotals, select_event_totals
from app.core.queries.ledger import insert_acknowledgements
from app.core.queries.partitions import drop_partitions_before
from app.core.stream.buffer import EventBuffer
from app.core.stream.numbering import Numbering
from app.core.transfer.exporting import export_days
from app.core.transfer.manifest import Manifest
from app.core.transfer.places import Folder
from tests.commands import fails_with_one_line, select
from tests.databases import kept_connection
from tests.drains import an_event as buffered_event
from tests.drains import open_connection, run_drain
from tests.folds import fold_all
from tests.stored_events import an_event
from tests.transfers import contents_of, manifest_in, noon, odd_events, store_project, store_received

ONE_MORE = """
UPDATE rollup_additions SET events = events + 1
WHERE ctid = (SELECT min(ctid) FROM rollup_additions WHERE bucket_start = %s)
"""


@pytest.fixture
def project_id(database_url: str, clean_database: None) -> int:
    return store_project(database_url, "demo", (1, 2, 3))


def written(folder: Path) -> dict[str, int]:
    """When each file was written."""
    return {path.name: path.stat().st_mtime_ns for path in sorted(folder.glob("events-*"))}


def name_of(days_ago: int) -> str:
    return f"events-{noon(days_ago).date()}.csv"


def test_it_writes_only_what_has_changed_since(export, database_url: str, project_id: int, tmp_path: Path):
    out = tmp_path / "out"
    assert export().stdout.endswith("3 files written, 0 unchanged\n")
    first = written(out)
    store_received(database_url, odd_events(project_id, 2, 5))
    (out / name_of(3)).unlink()
    assert export().stdout.endswith("2 files written, 1 unchanged\n")
    second = written(out)
    assert [name for name in first if second[name] == first[name]] == [name_of(1)]
    assert [file["events"] for file in manifest_in(out)["files"]] == [30, 35, 30]
    assert sorted(path.name for path in out.iterdir()) == [*sorted(second), "manifest.json"]


def test_it_counts_what_the_ledger_has_stored(  # noqa: PLR0917 - what pytest hands in
    export, run, database, client, database_url: str, tmp_path: Path
):
    project_id = store_project(database_url, "demo", ())
    numbering = Numbering(lambda rows: insert_acknowledgements(database, rows), delay_seconds=3_600)
    buffer = EventBuffer(client, numbering=numbering)
    repeated = buffered_event(project_id, 0)
    buffer.append(*[buffered_event(project_id, seed) for seed in range(20)], repeated, repeated)
    run_drain(database, client)
    numbering.flush()
    assert export().exit_code == 0
    hours = json.loads(run("ledger", "--json").stdout)["hours"]
    assert (sum(hour["stored"] for hour in hours), sum(hour["repeated"] for hour in hours)) == (21, 1)
    assert manifest_in(tmp_path / "out")["events"] == 21


def test_it_takes_days_by_their_names(export, project_id: int, tmp_path: Path):
    day = str(noon(2).date())
    assert export("--from", day, "--to", day).exit_code == 0
    assert list(written(tmp_path / "out")) == [name_of(2)]
    assert export("--from", str(noon(1).date())).exit_code == 0
    assert list(written(tmp_path / "out")) == [name_of(2), name_of(1)]
    assert manifest_in(tmp_path / "out")["events"] == 60


def test_a_file_with_more_events_than_there_are_stays_until_somebody_takes_it_away(
    export, database_url: str, project_id: int, tmp_path: Path
):
    """A nightly export from a database that was restored, or made anew, must not write over the only copy."""
    export()
    before = contents_of(tmp_path / "out")
    with kept_connection(database_url) as connection:
        connection.execute("DELETE FROM events WHERE day = %s", [noon(2).date()])
        connection.execute("DELETE FROM rollup_additions WHERE bucket_start::date = %s", [noon(2).date()])
    finished = export()
    assert finished.exit_code == 1
    assert f"1 days from {noon(2).date()} to {noon(2).date()} have fewer events here than" in finished.stderr
    assert contents_of(tmp_path / "out") == before
    assert len(manifest_in(tmp_path / "out")["files"]) == 3
    (tmp_path / "out" / name_of(2)).unlink()
    assert export().exit_code == 0
    assert list(written(tmp_path / "out")) == [name_of(3), name_of(1)]
    assert len(manifest_in(tmp_path / "out")["files"]) == 2


def test_it_says_which_days_are_gone_and_keeps_the_files_that_it_has(export, run, tmp_path: Path, database_url: str):
    project_id = store_project(database_url, "demo", (60, 61))
    with open_connection(database_url) as connection:
        fold_all(connection)
        export("--from", str(noon(60).date()))
        drop_partitions_before(connection, noon(30).date())
    store_received(database_url, [an_event(project_id)])
    finished = export()
    assert finished.exit_code == 0
    gone = noon(61).date()
    assert f"raw events from {gone} to {gone} are gone" in finished.stderr
    assert "30 events of 1 days are in the rollups only" in finished.stderr
    assert name_of(60) in contents_of(tmp_path / "out")
    assert len(manifest_in(tmp_path / "out")["files"]) == 2


def test_it_fails_where_the_totals_are_not_those_of_the_events(export, run, database_url: str, project_id: int):
    with kept_connection(database_url) as connection:
        connection.execute(ONE_MORE, [noon(2)])
    finished = export()
    assert finished.exit_code == 1
    assert f"{noon(2).date()}: 30 events, 31 in the rollups" in finished.stderr
    assert "it does not add up: the totals of 1 days are not those of their events" in finished.stderr
    assert run("recount").exit_code == 0
    assert export().stdout.endswith("0 files written, 3 unchanged\n")


def test_it_fails_where_events_cannot_be_read(export, database_url: str, project_id: int, tmp_path: Path):
    with kept_connection(database_url) as connection:
        connection.execute("UPDATE events SET version_key = 999999 WHERE day = %s AND score = 0", [noon(2).date()])
    finished = export()
    assert "30 events are stored, and" in finished.stderr
    assert finished.exit_code == 1
    assert not manifest_in(tmp_path / "out")["is_complete"]
    assert list(written(tmp_path / "out")) == [name_of(3)]


def test_it_writes_nothing_over_another_export(export, run, database_url: str, project_id: int, tmp_path: Path):
    export()
    before = contents_of(tmp_path / "out")
    store_project(database_url, "other", (1,))
    for other in (
        export(of_format="ndjson"),
        export(secret_key="t" * 32),
        run("export", "--project", "other", "--format", "csv", "--out", str(tmp_path / "out")),
    ):
        assert "there is another export already" in fails_with_one_line(other)
    assert contents_of(tmp_path / "out") == before
    assert manifest_in(tmp_path / "out")["is_complete"]


def test_a_day_is_as_of_one_moment_while_events_arrive(
    database_url: str, project_id: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Those that come after a day was begun are in its next export, and no snapshot is held while it is written."""

    def count_before_another_comes(*arguments: Any) -> DayTotals:
        totals = select_event_totals(*arguments)
        store_received(database_url, [an_event(project_id, timedelta(days=1))])
        return totals

    monkeypatch.setattr("app.core.transfer.exporting.select_event_totals", count_before_another_comes)
    snapshots = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'exporter' AND backend_xmin IS NOT NULL"
    held: list[object] = []

    class Watched(Folder):
        def writing(self, name: str):
            if name.startswith("events-"):
                held.append(select(database_url, snapshots)[0][0])
            return super().writing(name)

    manifest = Manifest(format="csv", project="demo", project_number=project_id, secret_key_fingerprint="")
    with open_connection(database_url) as connection:
        connection.execute("SET application_name = 'exporter'")
        place = Watched(tmp_path)
        day = (datetime.now(UTC) - timedelta(days=1)).date()
        days: dict[str, Any] = {"first": day, "last": day, "tell": lambda _line: None, "clock": lambda: 0.0}
        first = export_days(connection, place, manifest, **days)
        second = export_days(connection, place, manifest, **days)
    assert [file.events for file in first.manifest.files] == [30]
    assert [file.events for file in second.manifest.files] == [31]
    assert first.miscounted == second.miscounted == []
    assert held == [0, 0]


def test_it_says_what_is_wrong_with_the_place(export, project_id: int, tmp_path: Path):
    (tmp_path / "file").write_text("")
    assert "Not a directory" in fails_with_one_line(export("--out", str(tmp_path / "file" / "below")))
    assert "an address in S3-compatible storage is" in fails_with_one_line(export("--out", "s3:///folder"))


def test_it_refuses_to_write_what_another_export_is_writing(export, project_id: int, tmp_path: Path):
    with Folder(tmp_path / "out").writing(name_of(3)) as path:
        path.write_text("")
        assert "is being written by another export" in export().stderr
    assert export().exit_code == 0


def test_only_parquet_and_s3_need_pyarrow(export, project_id: int, monkeypatch: pytest.MonkeyPatch):
    for name in ("pyarrow", "pyarrow.fs", "pyarrow.parquet"):
        monkeypatch.setitem(sys.modules, name, None)
    assert export(of_format="csv").exit_code == 0
    assert "pip install -r requirements-export.txt" in fails_with_one_line(export("--out", "s3://bucket"))

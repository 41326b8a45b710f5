"""`import`: each event exactly once, whatever is there already, and nothing of a bad file."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from app.core.queries.partitions import drop_partitions_before
from app.core.stream.events import Event
from tests.commands import fails_with_one_line, select
from tests.databases import kept_connection
from tests.drains import open_connection
from tests.folds import fold_all
from tests.recount import assert_rollups_equal_a_recount
from tests.transfers import (
    all_events,
    manifest_in,
    noon,
    odd_events,
    store_project,
    store_received,
    write_manifest_in,
)
from worker.maintenance import maintain
from worker.store import EventStore, ReceivedEvent

COUNT = "SELECT count(*)::integer FROM events"


def count_exactly(database_url: str) -> int:
    with open_connection(database_url) as connection:
        fold_all(connection)
        return assert_rollups_equal_a_recount(connection)


def test_a_second_import_stores_nothing_twice(exported: Path, import_into, other_url: str):
    import_into()
    before = all_events(other_url, "demo")
    again = import_into()
    assert (again.exit_code, again.stdout.partition(";")[0]) == (
        0,
        "90 events of 3 days: 0 new, 90 were stored already",
    )
    assert all_events(other_url, "demo") == before
    assert count_exactly(other_url) == 90


def test_what_is_in_the_project_already_stays_and_counts_once(exported: Path, import_into, here_and_there):
    here, there = here_and_there
    project_id = store_project(there, "demo", ())
    store_received(there, odd_events(project_id, 1, 10))
    with open_connection(there) as connection:
        fold_all(connection)
    store_received(there, odd_events(project_id, 2, 10))
    own = {row[0] for row in all_events(there, "demo")}
    assert import_into().stdout.startswith("90 events of 3 days: 90 new")
    assert {row[0] for row in all_events(there, "demo")} == own | {row[0] for row in all_events(here, "demo")}
    assert count_exactly(there) == 110


def test_workers_store_and_fold_meanwhile(exported: Path, import_into, here_and_there):
    """Also the very events that are imported, which then count once."""
    here, there = here_and_there
    project_id = store_project(there, "demo", ())
    ended = threading.Event()
    again = [as_received(project_id, row) for row in all_events(here, "demo")]

    def work() -> int:
        rounds = 0
        with open_connection(there) as connection:
            while not ended.is_set() or rounds < 3:
                batch = [*odd_events(project_id, 2, 5), *again[rounds * 7 % 80 :][:10]]
                EventStore().store(connection, batch)
                fold_all(connection)
                rounds += 1
        return rounds

    with ThreadPoolExecutor(1) as worker:
        working = worker.submit(work)
        try:
            finished = import_into()
        finally:
            ended.set()
        rounds = working.result()
    assert finished.exit_code == 0, finished.stderr
    assert count_exactly(there) == 90 + 5 * rounds


def as_received(project_id: int, row: tuple[Any, ...]) -> ReceivedEvent:
    """An event that is stored, as it would come again."""
    event_id, _, occurred_at, received_at, prompt_id, _, _, version_hash, *_ = row
    latency, cost, score = (None if text is None else Decimal(text) for text in row[-3:])
    occurred_at_ms, received_at_ms = (round(time.timestamp() * 1_000) for time in (occurred_at, received_at))
    event = Event(event_id.bytes, project_id, prompt_id, version_hash, latency, cost, score, occurred_at_ms)
    return ReceivedEvent(event, received_at_ms)


def test_a_restore_brings_back_what_is_missing(exported: Path, import_into, run, database_url: str):
    before = all_events(database_url, "demo")
    with open_connection(database_url) as connection:
        connection.execute("DELETE FROM events WHERE day = %s", [noon(2).date()])
        assert "`recount` that day" in import_into(database_url=database_url).stderr
        connection.execute("DELETE FROM rollup_additions")
        run("recount", database_url=database_url)
        assert import_into(database_url=database_url).stdout.startswith("90 events of 3 days: 30 new, 60 were")
    assert all_events(database_url, "demo") == before
    assert count_exactly(database_url) == 90


def test_it_tells_of_events_that_are_stored_with_other_content(exported: Path, import_into, run, other_url: str):
    import_into()
    with kept_connection(other_url) as connection:
        connection.execute(
            "UPDATE events SET cost_usd = 77 WHERE event_id = (SELECT min(event_id::text)::uuid FROM events)"
        )
    run("recount", database_url=other_url)
    again = import_into()
    assert again.exit_code == 1
    assert "1 events are stored here with other content than in the files; they stay as they are" in again.stderr


def damage(path: Path) -> None:
    path.write_bytes(path.read_bytes().replace(b",0,", b",1,", 1))


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-10])


@pytest.mark.parametrize(
    ("spoil", "said", "stored"),
    [
        (damage, "its SHA-256 is not that of the manifest; nothing of it was stored", 30),
        (cut, "bytes instead of", 0),
        (Path.unlink, "is missing", 0),
    ],
)
def test_nothing_of_a_bad_file_is_stored(  # noqa: PLR0917 - what pytest hands in
    spoil: Callable[[Path], None], said: str, stored: int, exported: Path, import_into, other_url: str
):
    path = exported / f"events-{noon(2).date()}.csv"
    good = path.read_bytes()
    spoil(path)
    finished = import_into()
    assert finished.exit_code == 1
    assert f"{path.name}" in finished.stderr
    assert said in finished.stderr
    assert select(other_url, COUNT) == [(stored,)]
    path.write_bytes(good)
    assert import_into().exit_code == 0
    assert count_exactly(other_url) == 90


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"events": 29}, "its events do not add up to what the manifest says; nothing of it was stored"),
        ({"cost_usd_sum": "0"}, "its events do not add up to what the manifest says; nothing of it was stored"),
        ({"day": "2026-11-01"}, "names a file that is not called as those of an export are"),
        ({"name": "../../etc/passwd"}, "names a file that is not called as those of an export are"),
        ({"events": "many"}, "is not the manifest of an export"),
    ],
)
def test_a_manifest_that_is_wrong_of_a_file_is_refused(
    changed: dict[str, object], said: str, exported: Path, import_into, other_url: str
):
    manifest = manifest_in(exported)
    manifest["files"][0] |= changed
    write_manifest_in(exported, manifest)
    assert said in import_into().stderr
    assert select(other_url, COUNT) == [(0,)]


def test_an_export_that_was_broken_off_is_refused(exported: Path, import_into, tmp_path: Path):
    write_manifest_in(exported, manifest_in(exported) | {"is_complete": False})
    assert "this export was broken off" in fails_with_one_line(import_into())
    write_manifest_in(exported, manifest_in(exported) | {"is_complete": True, "schema_version": 2})
    assert "is of version 2, this release reads 1" in fails_with_one_line(import_into())
    (exported / "manifest.json").write_text("{")
    assert "is not the manifest of an export" in fails_with_one_line(import_into())
    assert "this is no export" in fails_with_one_line(import_into(source=str(tmp_path / "nowhere")))


def test_days_past_retention_are_refused_or_left_out(here_and_there, export, import_into):
    here, there = here_and_there
    store_project(here, "demo", (1, 40, 41))
    export()
    refused = import_into(retention_days="32")
    assert "2 days before" in fails_with_one_line(refused)
    assert select(there, "SELECT count(*)::integer FROM projects") == [(0,)]
    skipped = import_into("--skip-expired", retention_days="32")
    assert (skipped.exit_code, skipped.stdout[:20]) == (0, "30 events of 1 days:")
    assert "left out: 2 days with 60 events, past RETENTION_DAYS" in skipped.stderr
    assert import_into(retention_days="41").stdout.startswith("90 events of 3 days: 60 new")
    with open_connection(there) as connection:
        maintain(connection, datetime.now(UTC), retention_days=41)
    assert select(there, COUNT) == [(90,)]
    # Minutes are kept for a week.
    old_minutes = (
        "SELECT count(*)::integer FROM rollups WHERE grain = 'minute' AND bucket_start < now() - interval '8 d'"
    )
    assert select(there, old_minutes) == [(0,)]
    by_grain = "SELECT grain, sum(events)::integer FROM rollups WHERE prompt_key = 0 GROUP BY grain ORDER BY grain"
    assert select(there, by_grain) == [("day", 90), ("hour", 90), ("minute", 30)]


def test_what_was_dropped_here_is_not_counted_again(exported: Path, import_into, other_url: str):
    import_into()
    with open_connection(other_url) as connection:
        drop_partitions_before(connection, noon(1).date())
    finished = import_into()
    assert finished.exit_code == 1
    assert "were dropped would count twice" in finished.stderr
    day = "SELECT sum(events)::integer FROM rollups WHERE grain = 'day' AND prompt_key = 0"
    assert select(other_url, day) == [(90,)]

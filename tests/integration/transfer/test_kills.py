"""kill -9 of an export and of an import at every step, and what the next one makes of it."""

import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from app.local.children import REPOSITORY
from tests.commands import select
from tests.drains import open_connection
from tests.folds import fold_all
from tests.processes import SECRET_KEY, app_environment
from tests.recount import assert_rollups_equal_a_recount
from tests.transfers import all_events, contents_of, manifest_in, store_project

DAYS_AGO = (1, 2, 3)
EVENTS_A_DAY = 50
COUNT = "SELECT count(*)::integer FROM events"
Kill = Callable[..., None]


@pytest.fixture
def kill(redis_url: str, tmp_path: Path) -> Kill:
    """Runs a command on a database that is killed as it calls a function for the so-manieth time."""

    def run_and_die(database_url: str, place: str, times: int, *arguments: str) -> None:
        finished = subprocess.run(
            [sys.executable, "-m", "tests.killed_command", f"app.core.transfer.{place}", str(times), *arguments],
            env=app_environment(database_url, redis_url),
            cwd=REPOSITORY,
            capture_output=True,
            text=True,
            check=False,
        )
        assert finished.returncode == -signal.SIGKILL, finished.stderr

    return run_and_die


@pytest.mark.parametrize(
    ("place", "times", "of_format"),
    [
        # in the middle of the second file, at its end, after it has its name, and before the end of all
        ("exporting:RunningTotals.add", 2, "csv"),
        ("exporting:sha256_of", 2, "parquet"),
        ("exporting:write_manifest", 3, "ndjson"),
        ("exporting:write_manifest", 5, "csv"),
    ],
)
def test_an_export_that_is_killed_leaves_nothing_that_looks_complete(  # noqa: PLR0917 - what pytest hands in
    place: str, times: int, of_format: str, kill: Kill, export, import_into, here_and_there, tmp_path: Path
):
    here, there = here_and_there
    store_project(here, "demo", DAYS_AGO, events_a_day=EVENTS_A_DAY)
    out = tmp_path / "out"
    kill(here, place, times, "export", "--project", "demo", "--format", of_format, "--out", str(out))
    left = contents_of(out)
    listed = {file["name"] for file in manifest_in(out)["files"]}
    assert listed <= left.keys()
    assert "this export was broken off" in import_into().stderr
    finished = export(of_format=of_format, secret_key=SECRET_KEY)
    assert f"{len(DAYS_AGO) - len(listed)} files written, {len(listed)} unchanged" in finished.stdout
    # What had its name by then was whole; and nothing else is left behind.
    assert {name: contents_of(out)[name] for name in left} == left
    assert sorted(path.name for path in out.iterdir()) == [*contents_of(out), "manifest.json"]
    assert import_into().exit_code == 0
    assert all_events(there, "demo") == all_events(here, "demo")


@pytest.mark.parametrize(
    ("place", "times", "stored"),
    [
        # before the first event, before its rollups, before COMMIT, and with a day stored
        ("storing:insert_new_events", 1, 0),
        ("storing:take_fold_lock", 1, 0),
        ("storing:Stored", 1, EVENTS_A_DAY),
        ("storing:merge_rollups", 2, EVENTS_A_DAY),
        ("importing:Names.give", 1, len(DAYS_AGO) * EVENTS_A_DAY),
    ],
)
def test_an_import_that_is_killed_stores_nothing_twice_and_goes_on(  # noqa: PLR0917 - what pytest hands in
    place: str, times: int, stored: int, kill: Kill, export, import_into, here_and_there, tmp_path: Path
):
    here, there = here_and_there
    store_project(here, "demo", DAYS_AGO, events_a_day=EVENTS_A_DAY)
    export()
    kill(there, place, times, "import", "--project", "demo", str(tmp_path / "out"))
    assert select(there, COUNT) == [(stored,)]
    total = len(DAYS_AGO) * EVENTS_A_DAY
    with open_connection(there) as connection:
        assert assert_rollups_equal_a_recount(connection) == stored
        assert import_into().stdout.startswith(f"{total} events of 3 days: {total - stored} new")
        fold_all(connection)
        assert assert_rollups_equal_a_recount(connection) == total
    assert all_events(there, "demo") == all_events(here, "demo")

"""kill -9 of an export and of an import in the middle, and what the next one makes of it."""

import hashlib
import sys
from pathlib import Path

import pytest

from app.local.children import REPOSITORY, Child, Guard
from tests.commands import select
from tests.drains import open_connection
from tests.folds import fold_all
from tests.processes import SECRET_KEY, app_environment
from tests.recount import assert_rollups_equal_a_recount
from tests.transfers import all_events, contents_of, manifest_in, store_project
from tests.waiting import wait_until

DAYS_AGO = range(6)
START_SECONDS = 60.0


@pytest.fixture
def begin(guard: Guard, tmp_path: Path, redis_url: str):
    """Starts a command on a database."""

    def begin_one(database_url: str, *arguments: str) -> Child:
        return guard.start(
            [sys.executable, "-m", "app", *arguments],
            log_path=tmp_path / "log",
            environment=app_environment(database_url, redis_url),
            cwd=REPOSITORY,
        )

    return begin_one


def listed(folder: Path) -> list[dict[str, object]]:
    files: list[dict[str, object]] = manifest_in(folder)["files"] if (folder / "manifest.json").exists() else []
    return files


def assert_all_that_is_listed_is_whole(folder: Path) -> None:
    for file in listed(folder):
        content = (folder / str(file["name"])).read_bytes()
        assert hashlib.sha256(content).hexdigest() == file["sha256"]


@pytest.mark.parametrize("of_format", ["csv", "parquet"])
def test_an_export_that_is_killed_leaves_nothing_that_looks_complete_and_goes_on(  # noqa: PLR0917 - what pytest hands in
    of_format: str, begin, export, import_into, here_and_there, tmp_path: Path
):
    here, _ = here_and_there
    store_project(here, "demo", DAYS_AGO, events_a_day=200)
    out = tmp_path / "out"
    child = begin(here, "export", "--project", "demo", "--format", of_format, "--out", str(out))
    wait_until(lambda: listed(out) or child.exit_code() is not None, START_SECONDS, interval_seconds=0.001)
    child.kill()
    before = listed(out)
    assert 0 < len(before) <= len(DAYS_AGO)
    assert_all_that_is_listed_is_whole(out)
    # A file that was whole a moment before the manifest knew of it may be there, too; none is there in part.
    assert len(contents_of(out)) <= len(before) + 1
    if not manifest_in(out)["is_complete"]:
        assert "this export was broken off" in import_into().stderr
    finished = export(of_format=of_format, secret_key=SECRET_KEY)
    assert f"{len(DAYS_AGO) - len(before)} files written, {len(before)} unchanged" in finished.stdout
    assert_all_that_is_listed_is_whole(out)
    assert sorted(path.name for path in out.iterdir()) == [*contents_of(out), "manifest.json"]
    assert manifest_in(out)["events"] == len(DAYS_AGO) * 200


def test_an_import_that_is_killed_stores_nothing_twice_and_goes_on(
    begin, export, import_into, here_and_there, tmp_path: Path
):
    here, there = here_and_there
    store_project(here, "demo", DAYS_AGO, events_a_day=500)
    export()
    child = begin(there, "import", "--project", "demo", str(tmp_path / "out"))
    stored = "SELECT count(*)::integer FROM events"
    wait_until(
        lambda: select(there, stored) != [(0,)] or child.exit_code() is not None, START_SECONDS, interval_seconds=0.001
    )
    child.kill()
    by_then = select(there, stored)[0][0]
    assert by_then
    with open_connection(there) as connection:
        assert assert_rollups_equal_a_recount(connection) == by_then
        assert import_into().stdout.startswith(f"3,000 events of 6 days: {3_000 - int(str(by_then)):,} new")
        fold_all(connection)
        assert assert_rollups_equal_a_recount(connection) == 3_000
    assert all_events(there, "demo") == all_events(here, "demo")

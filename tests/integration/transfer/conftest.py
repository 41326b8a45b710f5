"""Another installation beside the one of the tests: a database with the same SECRET_KEY, empty before each test."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import Result

from app.core.migrations import migrate
from app.local.postgres import RunningPostgres
from tests.commands import Run
from tests.databases import empty_tables, new_database
from tests.transfers import store_project

Transfer = Callable[..., Result]


@pytest.fixture(scope="session")
def other_database(postgres: RunningPostgres) -> Iterator[str]:
    with new_database(postgres.url) as url:
        migrate(url)
        yield url


@pytest.fixture
def other_url(other_database: str) -> str:
    empty_tables(other_database)
    return other_database


@pytest.fixture
def here_and_there(database_url: str, other_url: str, clean_database: None) -> tuple[str, str]:
    """The URLs of both databases, empty."""
    return database_url, other_url


@pytest.fixture
def export(run: Run, tmp_path: Path) -> Transfer:
    """Exports `demo` into the folder `out` of the test."""

    def export_demo(*arguments: str, of_format: str = "csv", **settings: str) -> Result:
        out = () if "--out" in arguments else ("--out", str(tmp_path / "out"))
        return run("export", "--project", "demo", "--format", of_format, *out, *arguments, **settings)

    return export_demo


@pytest.fixture
def import_into(run: Run, tmp_path: Path, other_url: str) -> Transfer:
    """Imports the folder `out` of the test into `demo` of the other installation."""

    def import_out(*arguments: str, project: str = "demo", source: str = "", **settings: str) -> Result:
        servers = {"database_url": other_url} | settings
        return run("import", "--project", project, source or str(tmp_path / "out"), *arguments, **servers)

    return import_out


@pytest.fixture
def exported(here_and_there, export, tmp_path: Path) -> Path:
    """Of three days; the folder."""
    store_project(here_and_there[0], "demo", (1, 2, 3))
    assert export().exit_code == 0
    return tmp_path / "out"

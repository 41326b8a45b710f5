"""What tests of the operator's commands share."""

from collections.abc import Callable

from click.testing import CliRunner, Result

from app.__main__ import main
from tests.databases import kept_connection

Run = Callable[..., Result]
Succeed = Callable[..., str]


def run_command(*arguments: str, **settings: str) -> Result:
    """Runs a command with these settings; an error that it should have told in a line is raised."""
    environment = {name.upper(): value for name, value in settings.items()}
    return CliRunner(env=environment, catch_exceptions=False).invoke(main, arguments)


def fails_with_one_line(finished: Result) -> str:
    assert finished.exit_code == 1
    assert finished.stdout == ""
    assert finished.stderr.startswith("Error: ")
    assert finished.stderr.count("\n") == 1
    return finished.stderr


def select(database_url: str, query: str) -> list[tuple[object, ...]]:
    with kept_connection(database_url) as connection:
        return connection.execute(query.encode()).fetchall()

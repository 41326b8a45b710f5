"""The operator's commands on the servers of the tests."""

import pytest

from tests.commands import Run, Succeed, run_command


@pytest.fixture
def run(database_url: str, redis_url: str, clean_database: None, clean_redis: None) -> Run:
    """Runs a command on the servers of the tests, or on those of its settings."""
    servers = {"database_url": database_url, "redis_url": redis_url, "secret_key": "s" * 32}
    return lambda *arguments, **settings: run_command(*arguments, **servers | settings)


@pytest.fixture
def succeed(run: Run) -> Succeed:
    """Runs a command that must succeed; returns what it prints."""

    def run_well(*arguments: str, **settings: str) -> str:
        finished = run(*arguments, **settings)
        assert (finished.exit_code, finished.stderr) == (0, "")
        return finished.stdout

    return run_well

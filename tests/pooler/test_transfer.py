"""Export and import keep cursors and tables over several transactions, and say so where a pooler would lose them."""

from pathlib import Path

from tests.commands import fails_with_one_line, run_command
from tests.pgbouncer import RunningPgBouncer
from tests.sign_in import create_project

SERVERS = {"redis_url": "redis://127.0.0.1:1", "secret_key": "s" * 32}


def test_through_a_pooler_they_name_the_setting(
    pgbouncer: RunningPgBouncer, database_url: str, clean_database: None, tmp_path: Path
):
    create_project(database_url, "demo")
    out = str(tmp_path / "out")
    export = ("export", "--project", "demo", "--format", "csv", "--out", out)
    assert run_command(*export, database_url=database_url, **SERVERS).exit_code == 0
    for command in (export, ("import", "--project", "demo", out)):
        reason = fails_with_one_line(run_command(*command, database_url=pgbouncer.url, **SERVERS))
        assert "set DATABASE_DIRECT_URL to PostgreSQL itself" in reason

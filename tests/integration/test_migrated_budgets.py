import psycopg
import pytest

from app.core.migrations import migrate, runner
from app.local.postgres import RunningPostgres
from tests.databases import new_database


def test_budgets_of_the_seventh_release_go_on_speaking_of_last_month(
    postgres: RunningPostgres, monkeypatch: pytest.MonkeyPatch
):
    insert = "INSERT INTO budgets (project_id, prompt_key, usd_per_month) VALUES (1, %s, 10)"
    select_new = "SELECT prompt_key FROM budgets WHERE changed_at > now() - interval '1 hour'"
    with new_database(postgres.url) as url:
        with monkeypatch.context() as seventh_release:
            seventh_release.setattr(runner, "SCHEMA_REVISION", "0007")
            migrate(url)
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("INSERT INTO projects (name) VALUES ('shop')")
            connection.execute(insert, [0])
            assert migrate(url) == "0007"
            connection.execute(insert, [1])
            assert connection.execute(select_new).fetchall() == [(1,)]

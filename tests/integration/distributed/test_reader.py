"""The views of the schema analytics on a distributed database, and who reads them."""

from datetime import UTC, datetime, timedelta

import psycopg
import pytest
from psycopg import sql

from app.core.database import Connection
from app.core.migrations.distribution import distribute
from app.core.queries.unfolded import select_unfolded
from app.local.citus import SHARDS, Cluster
from tests.commands import run_command
from tests.integration.distributed.test_distributing import EVENTS, fill

VIEWS = ("prompts_daily", "versions_hourly", "raw_events")
MAKE_TOOL = "DROP ROLE IF EXISTS tool; CREATE ROLE tool LOGIN IN ROLE pa_reader"
AS_TOOL = "SET SESSION AUTHORIZATION tool"


def read(connection: Connection, view: str) -> list[str]:
    query = sql.SQL("SELECT * FROM {}").format(sql.Identifier("analytics", view))
    return sorted(map(repr, connection.execute(query).fetchall()))


def test_the_views_say_the_same_and_a_sign_in_reads_them_and_no_account(
    installation: str, coordinator: Connection, another: Connection, cluster: Cluster
):
    fill(coordinator, datetime.now(UTC) + timedelta(minutes=1))
    before = {view: read(coordinator, view) for view in VIEWS}
    distribute(coordinator, shards=SHARDS)
    assert {view: read(coordinator, view) for view in VIEWS} == before
    assert select_unfolded(coordinator).rows == EVENTS // 2
    servers = {"database_url": installation, "redis_url": "redis://127.0.0.1:1", "secret_key": "s" * 32}
    told = run_command("reader", **servers)
    assert told.exit_code == 0, told.stderr
    assert "no table but events, prompt_versions, prompts, rollup_additions, rollups, which lie on nodes" in told.stdout
    for statement in MAKE_TOOL.split("; "):
        another.execute(statement.encode())
    another.execute(AS_TOOL)
    assert {view: read(another, view) for view in VIEWS} == before
    for table in ("users", "api_keys", "projects"):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            another.execute(sql.SQL("SELECT * FROM {}").format(sql.Identifier(table)))

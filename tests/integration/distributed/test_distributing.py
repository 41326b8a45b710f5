"""`python -m app distribute`: an installation with events becomes a distributed one, and answers as before."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import UUID

import psycopg
import pytest
from click.testing import Result

from app.core.database import Connection, connect
from app.core.migrations import migrate
from app.core.migrations.distribution import distribute, remaining_steps
from app.core.queries.budgets import upsert_budget
from app.core.queries.distribution import is_distributed
from app.core.stream.events import Event, new_event_id
from app.local.citus import SHARDS, Cluster
from tests.commands import fails_with_one_line, run_command
from tests.drains import an_event
from tests.folds import fold_all
from tests.integration.distributed.answers import all_answers, are_alike
from tests.recount import assert_rollups_equal_a_recount
from tests.usage_recount import new_project, store_in_batches
from worker.store import ReceivedEvent

EVENTS = 400


def distribute_by_command(url: str, *options: str) -> Result:
    servers = {"database_url": url, "redis_url": "redis://127.0.0.1:1", "secret_key": "s" * 32}
    return run_command("distribute", "--shards", str(SHARDS), *options, **servers)


def fill(connection: Connection, now: datetime) -> int:
    """Events of some days, minutes and versions, of which the first half is folded; a budget."""
    project_id = new_project(connection)
    now_ms = int(now.timestamp() * 1_000)
    events = [ReceivedEvent(an_event(project_id, seed), now_ms - seed * 600_000) for seed in range(EVENTS)]
    store_in_batches(connection, events[EVENTS // 2 :], batch_size=50)
    fold_all(connection)
    store_in_batches(connection, events[: EVENTS // 2], batch_size=50)
    for prompt_key in (0, 1):
        upsert_budget(connection, project_id, prompt_key, Decimal(100))
    return project_id


def test_a_database_without_the_extension_is_refused(database_url: str):
    assert "this database has no Citus" in fails_with_one_line(distribute_by_command(database_url, "--yes"))


def test_a_coordinator_that_is_not_ready_is_refused_with_what_to_do(cluster: Cluster):
    url = cluster.make_database(knows_nodes=False)
    migrate(url)
    with connect(url, application_name="test", statement_timeout_ms=60_000) as coordinator:
        assert "citus_set_coordinator_host" in fails_with_one_line(distribute_by_command(url, "--yes"))
        cluster.introduce(coordinator, nodes=0)
        reason = fails_with_one_line(distribute_by_command(url, "--yes"))
        assert "there are no worker nodes: add each by SELECT citus_add_node" in reason
        cluster.introduce(coordinator)
        coordinator.execute("SELECT create_distributed_table('rollups', 'project_id', shard_count => 2)")
        reason = fails_with_one_line(distribute_by_command(url, "--yes"))
        assert "the table rollups is distributed in another way" in reason
    cluster.drop_database(url)


def test_it_answers_all_questions_as_before_and_its_tables_lie_on_the_nodes(
    cluster: Cluster, installation: str, coordinator: Connection
):
    now = datetime.now(UTC) + timedelta(minutes=1)
    project_id = fill(coordinator, now)
    before = all_answers(coordinator, project_id, now)
    finished = distribute_by_command(installation, "--yes")
    assert finished.exit_code == 0, finished.stderr
    assert finished.stdout.endswith("the database is distributed\n")
    after = all_answers(coordinator, project_id, now)
    assert [name for name in before if not are_alike(before[name], after[name])] == []
    assert assert_rollups_equal_a_recount(coordinator) == EVENTS
    assert coordinator.execute("SELECT pg_relation_size('rollup_additions')").fetchone() == (0,)
    shards = "SELECT count(*) FROM pg_class WHERE relname ~ '^(events|rollups|rollup_additions)_[0-9]{6}$'"
    assert sum(int(str(count)) for (count,) in cluster.ask_nodes(installation, shards)) == 3 * SHARDS
    # prompts and versions that are new get numbers that nothing else has
    unknown = [Event(new_event_id(), project_id, UUID(int=900 + each), "unknown") for each in range(5)]
    store_in_batches(coordinator, [ReceivedEvent(each, int(now.timestamp() * 1_000)) for each in unknown], batch_size=5)
    assert assert_rollups_equal_a_recount(coordinator) == EVENTS + 5
    settings = "SELECT current_setting('timezone'), current_setting('synchronous_commit')"
    assert set(cluster.ask_nodes(installation, settings)) == {("UTC", "on")}


def test_it_asks_first_gives_way_and_goes_on_where_it_was_broken_off(
    installation: str, coordinator: Connection, another: Connection
):
    fill(coordinator, datetime.now(UTC))
    told = distribute_by_command(installation, "--dry-run").stdout.splitlines()
    assert [line.split(" (")[0] for line in told] == [
        "will drop the foreign key prompts_project_id_fkey",
        "will copy prompts to every node",
        "will copy prompt_versions to every node",
        f"will spread events by event_id over {SHARDS} shards",
        f"will spread rollups by prompt_key over {SHARDS} shards",
        "will spread rollup_additions by prompt_key beside rollups",
        "will set for this role in this database, on every node: synchronous_commit = on, timezone = UTC, jit = off",
    ]
    # nobody is there to answer the question
    assert distribute_by_command(installation).exit_code == 1
    assert len(remaining_steps(coordinator)) == len(told)
    with another.transaction():
        another.execute("LOCK TABLE rollups IN ACCESS EXCLUSIVE MODE")
        coordinator.execute("SET lock_timeout TO '200ms'")
        with pytest.raises(psycopg.errors.LockNotAvailable):
            distribute(coordinator, shards=SHARDS)
    coordinator.execute("RESET lock_timeout")
    assert not is_distributed(coordinator)
    assert assert_rollups_equal_a_recount(coordinator) == EVENTS
    fold_all(coordinator)
    assert distribute_by_command(installation, "--yes").exit_code == 0
    assert assert_rollups_equal_a_recount(coordinator) == EVENTS
    again = distribute_by_command(installation, "--yes")
    assert again.stdout == "the database is distributed already: nothing is left to do\n"


def test_migrations_run_on_a_distributed_database_and_distribute_what_they_make(
    distributed: str, coordinator: Connection, cluster: Cluster
):
    coordinator.execute("SELECT undistribute_table('rollup_additions')")
    assert [step.words.split(" (")[0] for step in remaining_steps(coordinator)] == [
        "spread rollup_additions by prompt_key beside rollups"
    ]
    migrate(distributed)
    assert remaining_steps(coordinator) == []
    # what later ones will do
    with coordinator.transaction():
        coordinator.execute("SET LOCAL citus.multi_shard_modify_mode TO 'sequential'")
        coordinator.execute("ALTER TABLE events ADD COLUMN tokens integer")
        coordinator.execute("ALTER TABLE rollups ADD COLUMN tokens bigint NOT NULL DEFAULT 0")
        coordinator.execute("CREATE INDEX rollups_tokens ON rollups (project_id, tokens)")
        coordinator.execute("CREATE TABLE notes (prompt_key bigint NOT NULL REFERENCES prompts (id), note text)")
        coordinator.execute("UPDATE rollups SET tokens = 1")
    column = "SELECT count(*) FROM information_schema.columns WHERE column_name = 'tokens' AND table_name ~ '^events_1'"
    assert all(int(str(count)) > 0 for (count,) in cluster.ask_nodes(distributed, column))
    with pytest.raises(psycopg.errors.ForeignKeyViolation):
        coordinator.execute("INSERT INTO notes (prompt_key, note) VALUES (1, 'of nobody')")

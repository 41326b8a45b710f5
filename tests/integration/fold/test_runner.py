"""When a worker comes back to what it has not folded yet, and what it does while it cannot drain."""

import itertools
from datetime import UTC, datetime

from app.core.database import open_pool
from app.core.operations.tallies import DRAINED, read_counts
from app.core.redis_client import connect
from app.core.stream.buffer import EventBuffer
from app.core.stream.streams import key_of
from tests.drains import an_event, append_many
from worker import runner as runner_module
from worker.runner import Runner


def test_a_worker_with_more_to_fold_goes_on_at_once_but_not_while_it_cannot_drain(
    database_url: str, clean_database: None, redis_url: str, clean_redis: None, monkeypatch
):
    monkeypatch.setattr(runner_module, "fold", lambda *_, **__: False)
    client = connect(redis_url, timeout_seconds=5)
    pool = open_pool(database_url, application_name="pa-worker", size=1)
    runner = Runner(EventBuffer(client), client, pool, consumer="w", retention_days=90)
    runner.drain()
    assert runner.has_more_to_do()
    client.replicaof("127.0.0.1", "1")
    try:
        runner.drain()
        assert not runner.has_more_to_do()
    finally:
        client.replicaof("NO", "ONE")
    runner.drain()
    assert runner.has_more_to_do()
    pool.close()


def test_what_can_be_read_is_counted_and_folded_while_a_part_of_the_buffer_cannot(
    project_id: int, database_url: str, redis_url: str, clean_redis: None, monkeypatch
):
    folds = itertools.count()
    monkeypatch.setattr(runner_module, "fold", lambda *_, **__: next(folds) > 0)
    client = connect(redis_url, timeout_seconds=5)
    client.set(key_of(client, 1), "no stream")
    append_many(client, [an_event(project_id) for _ in range(3)])
    pool = open_pool(database_url, application_name="pa-worker", size=1)
    runner = Runner(EventBuffer(client, streams=2), client, pool, consumer="w", retention_days=90)
    runner.drain()
    assert sum(read_counts(client, DRAINED, datetime.now(UTC)).values()) == 3
    assert next(folds) == 1
    assert not runner.has_more_to_do()
    pool.close()

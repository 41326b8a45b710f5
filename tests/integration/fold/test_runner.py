"""When a worker comes back to what it has not folded yet."""

from app.core.database import open_pool
from app.core.redis_client import connect
from app.core.stream.buffer import EventBuffer
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

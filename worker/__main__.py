"""The worker process: `python -m worker`."""

import gc
import logging
import random
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import partial

import redis

from app.core.database import open_pool
from app.core.errors import PromptAnalyticsError
from app.core.news.addresses import AddressRules
from app.core.news.sealing import sealing_key
from app.core.redis_client import connect, redis_errors
from app.core.redis_cluster import open_redis
from app.core.runbook import entry_for
from app.core.stream.buffer import EventBuffer
from config.logging import configure_logging, link_documents_in_logs
from config.settings import ALLOW, Settings, load_settings_or_exit
from worker import jobs
from worker.known_versions import NewPerDay
from worker.news.delivery import Courier
from worker.news.desk import CONNECTIONS, NewsDesk
from worker.news.looks import Looking
from worker.news.post import Answer, post
from worker.news.verdicts import find_verdicts
from worker.rq_worker import DrainWorker
from worker.runner import Runner
from worker.signals import stop_on_signals

STATEMENT_TIMEOUT_MS = 10_000
LOCK_TIMEOUT_MS = 5_000
"""Another worker that stores the same events holds their keys for a few hundred milliseconds."""
BUFFER_TIMEOUT_SECONDS = 5.0
QUEUE_TIMEOUT_SECONDS = 30.0
# At most; docs/deploying.md counts them.
STORE_CONNECTIONS = 1
BUFFER_CONNECTIONS = 4
QUEUE_CONNECTIONS = 4
LONGEST_PAUSE_SECONDS = 15.0
ALONE_PAUSE_SECONDS = 1.0
OBJECTS_BETWEEN_COLLECTIONS = 100_000
"""A batch is so many tuples and none of them in a cycle: to look through them every 700 took a seventh of a drain."""

log = logging.getLogger("worker")


def main() -> None:
    """Run until SIGTERM or SIGINT. Exits with 1 where a setting is wrong; lost servers are waited for."""
    settings = load_settings_or_exit()
    configure_logging(settings.log_level)
    link_documents_in_logs(settings.public_url)
    gc.set_threshold(OBJECTS_BETWEEN_COLLECTIONS)
    pool = open_pool(
        settings.database_direct_url,
        application_name="pa-worker",
        size=STORE_CONNECTIONS,
        statement_timeout_ms=STATEMENT_TIMEOUT_MS,
        lock_timeout_ms=LOCK_TIMEOUT_MS,
    )
    client = open_redis(
        settings.redis_url,
        partial(
            connect,
            timeout_seconds=BUFFER_TIMEOUT_SECONDS,
            max_connections=BUFFER_CONNECTIONS,
            tls_verify=settings.redis_tls_verify,
        ),
        cluster=settings.redis_cluster,
    )
    process = Runner(
        EventBuffer(client, streams=settings.buffer_streams),
        client,
        pool,
        consumer=settings.worker_name,
        retention_days=settings.retention_days,
        new_per_day=NewPerDay(settings.max_new_versions_per_prompt, settings.max_new_prompts_per_project),
    )
    jobs.bind(drain=process.drain)
    stop_on_signals(process)
    log.info("worker started", extra={"consumer": settings.worker_name})
    with news_desk(settings, client):
        work(process, settings)
    pool.close()
    log.info("worker stopped")


def work(process: Runner, settings: Settings) -> None:
    """Without a Redis for RQ's queue nothing but the worker itself begins a drain."""
    pause_seconds = 1.0
    while not process.is_stopping():
        process.tick()
        if settings.queue_redis_url is None:
            if not process.has_more_to_do():
                process.pause(ALONE_PAUSE_SECONDS)
            continue
        if run_queue(process, settings.queue_redis_url, tls_verify=settings.redis_tls_verify):
            pause_seconds = 1.0
        process.pause(pause_seconds)
        pause_seconds = min(pause_seconds * 2, LONGEST_PAUSE_SECONDS)


@contextmanager
def news_desk(settings: Settings, client: redis.Redis) -> Iterator[None]:
    """Look for news and deliver it beside all else, until the end of the block and of the attempts in hand."""
    rules = AddressRules(
        allow_private=settings.webhook_private_addresses == ALLOW, allow_http=settings.webhook_http == ALLOW
    )
    tls = ssl.create_default_context()

    def send(address: str, body: bytes, headers: dict[str, str]) -> Answer:
        return post(address, body, headers, rules=rules, tls=tls)

    pool = open_pool(
        settings.database_direct_url,
        application_name="pa-news",
        size=CONNECTIONS,
        statement_timeout_ms=STATEMENT_TIMEOUT_MS,
        lock_timeout_ms=LOCK_TIMEOUT_MS,
    )
    courier = Courier(
        send=send, key=sealing_key(settings.secret_key), public_url=settings.public_url, chance=random.random
    )
    buffer = EventBuffer(client)
    looking = Looking(
        longest_wait=lambda: timedelta(seconds=buffer.state().oldest_age_seconds), find_verdicts=find_verdicts
    )
    desk = NewsDesk(pool, courier, looking)
    desk.open()
    try:
        yield
    finally:
        desk.close()
        pool.close()


def run_queue(process: Runner, redis_url: str, *, tls_verify: str) -> bool:
    """Let RQ wait for jobs until it ends, which it does on a signal, but also when Redis is full or gone.

    Returns whether it got as far as doing any job. The caller drains, pauses and comes back.
    """
    client = connect(
        redis_url, timeout_seconds=QUEUE_TIMEOUT_SECONDS, max_connections=QUEUE_CONNECTIONS, tls_verify=tls_verify
    )
    try:
        with redis_errors():
            worker = DrainWorker(client, process)
            return worker.work(logging_level=None)
    except PromptAnalyticsError as error:
        log.warning(
            "the job queue is out of reach; draining goes on", extra={"reason": str(error), "see": entry_for(error)}
        )
        return False
    finally:
        stop_on_signals(process)
        client.close()


if __name__ == "__main__":
    main()

"""What a request works with, built once in each process."""

import functools
import hashlib
import logging
import weakref
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Concatenate, NamedTuple, ParamSpec, TypeVar, cast

import redis
from flask import Flask, current_app, request
from gevent.monkey import is_module_patched

from app.core import database, redis_client
from app.core.acknowledgements import Acknowledgement
from app.core.database import Connection, ConnectionPool
from app.core.keys.directory import KeyDirectory
from app.core.keys.uses import FirstEvents, KeyUses
from app.core.operations.refusal_log import RefusalLog
from app.core.operations.refusals import Refusals
from app.core.operations.replica import Replica
from app.core.operations.tallies import EVENTS_BY_KEY, Tally
from app.core.pooled_connection import expect_pooler
from app.core.queries.ledger import insert_acknowledgements
from app.core.redis_cluster import open_redis
from app.core.runbook import runbook_entry
from app.core.stream.appending import one_by_one
from app.core.stream.buffer import EventBuffer
from app.core.stream.numbering import Numbering
from app.web.fast.flights import in_flights
from app.web.fast.shared_connection import SharedConnectionRedis
from app.web.limits import RateLimits
from app.web.page_paths import is_page_path
from app.web.wake import distant_waker, worker_waker
from config.settings import Settings


class Patience(NamedTuple):
    """How long to wait for a connection of the pool, and for PostgreSQL's answer all in all.

    `snapshot_seconds` is for questions to the rollups of long ranges.
    """

    connection_seconds: float
    answer_seconds: float
    snapshot_seconds: float


OF_PROGRAMS = Patience(database.POOL_WAIT_SECONDS, 5.0, 10.0)
OF_PEOPLE = Patience(5.0, 10.0, 15.0)
"""Programs try again by themselves. People would rather wait for a busy machine than be sent away by it."""

QUEUE_CONNECTIONS = 8
_EXTENSION = "prompt_analytics"

log = logging.getLogger(__name__)

_P = ParamSpec("_P")
_T = TypeVar("_T")
_Work = Callable[Concatenate[Connection, _P], _T]


@dataclass(frozen=True, slots=True)
class Services:
    """`wake_worker` never raises. `idempotency_secret` keys the event ids that are made from Idempotency-Keys."""

    settings: Settings
    redis: redis.Redis
    buffer: EventBuffer
    database: ConnectionPool
    replica: Replica | None
    keys: KeyDirectory
    limits: RateLimits
    refusals: Refusals
    refusal_log: RefusalLog
    events_by_key: Tally
    first_events: FirstEvents
    wake_worker: Callable[[], None]
    idempotency_secret: bytes


def register_services(app: Flask, settings: Settings) -> None:
    """Build the services of an app. Nothing connects yet; but the pool starts threads, so call it after the fork."""
    is_fast = settings.fast_paths and is_module_patched("socket")

    def open_node(url: str) -> redis.Redis:
        client = redis_client.connect(
            url, max_connections=settings.redis_pool_size, tls_verify=settings.redis_tls_verify
        )
        return SharedConnectionRedis(client.connection_pool) if is_fast else client

    client = open_redis(settings.redis_url, open_node, cluster=settings.redis_cluster)
    if settings.database_direct_url != settings.database_url:
        expect_pooler(settings.database_url)
    pool = database.open_pool(settings.database_url, application_name="pa-web", size=settings.database_pool_size)
    replica = _open_replica(settings, pool)
    numbering = Numbering(functools.partial(_keep_acknowledgements, pool))
    # The pool's threads must end with the app, and before the interpreter does.
    weakref.finalize(app, _close, numbering, [pool, *([replica.pool] if replica else [])])
    app.extensions[_EXTENSION] = Services(
        settings=settings,
        redis=client,
        buffer=EventBuffer(
            client,
            streams=settings.buffer_streams,
            max_events=settings.buffer_max_events,
            idempotency_window_seconds=settings.idempotency_window_seconds,
            numbering=numbering,
            together=in_flights if is_fast else one_by_one,
        ),
        database=pool,
        replica=replica,
        keys=KeyDirectory(client, pool, uses=KeyUses(client)),
        limits=RateLimits(app, client, default_limit=settings.default_rate_limit),
        refusals=Refusals(client),
        refusal_log=RefusalLog(client),
        events_by_key=Tally(client, EVENTS_BY_KEY),
        first_events=FirstEvents(client),
        wake_worker=_worker_waker(settings, client),
        idempotency_secret=derive_secret(settings.secret_key, b"idempotency"),
    )


def _worker_waker(settings: Settings, client: redis.Redis) -> Callable[[], None]:
    """RQ knows no cluster; without a Redis of its own there nobody is woken, and workers look by themselves."""
    if settings.queue_redis_url is None:
        return lambda: None
    if settings.queue_redis_url == settings.redis_url:
        return worker_waker(client)
    queue = redis_client.connect(
        settings.queue_redis_url, max_connections=QUEUE_CONNECTIONS, tls_verify=settings.redis_tls_verify
    )
    return distant_waker(queue)


def _keep_acknowledgements(pool: ConnectionPool, acknowledgements: Sequence[Acknowledgement]) -> None:
    with database.connection_from(pool) as connection:
        insert_acknowledgements(connection, acknowledgements)


def _open_replica(settings: Settings, primary: ConnectionPool) -> Replica | None:
    if settings.database_read_url is None:
        return None
    standby = database.open_pool(
        settings.database_read_url, application_name="pa-web", size=settings.database_pool_size
    )
    return Replica(primary, standby)


def _close(numbering: Numbering, pools: Sequence[ConnectionPool]) -> None:
    if not numbering.flush():
        log.error(
            "what was acknowledged could not be written down: if Redis loses it, nobody will miss it",
            extra={"see": runbook_entry("losses")},
        )
    # garbage may be collected in a thread of the pool, which can't wait for itself
    for pool in pools:
        with suppress(RuntimeError):
            pool.close()


def services() -> Services:
    """The services of the current app. Raises RuntimeError outside of one."""
    return cast(Services, current_app.extensions[_EXTENSION])


def ask_database(work: _Work[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
    """What `work` makes of a connection and these arguments, in the time that who asks will wait.

    As `app.core.database.run`: in another thread; what it needs of the request are arguments.
    """
    patient = patience()
    return database.run(
        services().database,
        lambda connection: work(connection, *args, **kwargs),
        deadline_seconds=patient.answer_seconds,
        wait_seconds=patient.connection_seconds,
    )


def asker(work: _Work[_P, _T]) -> Callable[_P, _T]:
    """`ask_database` with this work, for what goes on when the request is over, as a download does."""
    pool, patient = services().database, patience()

    def ask(*args: _P.args, **kwargs: _P.kwargs) -> _T:
        return database.run(
            pool,
            lambda connection: work(connection, *args, **kwargs),
            deadline_seconds=patient.answer_seconds,
            wait_seconds=patient.connection_seconds,
        )

    return ask


def patience() -> Patience:
    """That of whoever has sent the request."""
    return OF_PEOPLE if is_page_path(request.path) else OF_PROGRAMS


def derive_secret(secret_key: str, purpose: bytes) -> bytes:
    """A secret of 32 bytes for one purpose (at most 16 bytes), so that none is used for two."""
    return hashlib.blake2b(secret_key.encode(), digest_size=32, person=purpose).digest()

"""Events in the buffer, and drains of them."""

import random
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from decimal import Decimal
from uuid import UUID

import redis

from app.core.database import Connection, connect
from app.core.stream.buffer import EventBuffer
from app.core.stream.entries import Entry
from app.core.stream.events import Event, encode_event, new_event_id
from app.core.stream.state import STREAM
from worker.dead_letters import keep_dead_letter
from worker.drain import drain
from worker.set_aside import DrainReport
from worker.store import EventStore

PROMPTS = [UUID(int=number) for number in range(5)]


@contextmanager
def open_connection(url: str) -> Iterator[Connection]:
    with connect(url, application_name="test", statement_timeout_ms=20_000) as connection:
        yield connection


def an_event(project_id: int, seed: int = 0) -> Event:
    chance = random.Random(seed)
    return Event(
        new_event_id(),
        project_id,
        chance.choice(PROMPTS),
        f"v{chance.randrange(3)}",
        Decimal(f"{chance.lognormvariate(6, 1):.3f}") if chance.random() < 0.9 else None,
        Decimal(f"{chance.random():.12f}") if chance.random() < 0.9 else None,
        Decimal(f"{chance.uniform(-1, 1):.6f}") if chance.random() < 0.5 else None,
    )


def run_drain(connection: Connection, client: redis.Redis, consumer: str = "worker.1") -> DrainReport:
    store = EventStore()

    def set_aside(entry: Entry, reason: str) -> None:
        keep_dead_letter(connection, entry, reason)

    return drain(
        EventBuffer(client),
        lambda batch: store.store(connection, batch),
        set_aside,
        consumer=consumer,
        clock=time.monotonic,
        pause=lambda _seconds: None,
        should_stop=lambda: False,
        wait_ms=1,
    )


def append_many(client: redis.Redis, events: Sequence[Event]) -> None:
    with client.pipeline(transaction=False) as pipeline:
        for event in events:
            pipeline.xadd(STREAM, {"e": encode_event(event)})
        pipeline.execute()


def drain_with(client, store, *, clock=time.monotonic, should_stop=lambda: False):
    def never(entry: Entry, reason: str) -> None:
        raise AssertionError(f"{entry} was set aside: {reason}")

    return drain(
        EventBuffer(client),
        store,
        never,
        consumer="worker.1",
        clock=clock,
        pause=lambda _seconds: None,
        should_stop=should_stop,
        wait_ms=1,
    )


def drain_into(client, store, *, set_aside=lambda _entry, _reason: None, pause=lambda _seconds: None, wait_ms=1):
    return drain(
        EventBuffer(client),
        store,
        set_aside,
        consumer="worker.1",
        clock=time.monotonic,
        pause=pause,
        should_stop=lambda: False,
        wait_ms=wait_ms,
    )

"""Events, wake-ups and stored rows, as seen beside a worker."""

from uuid import UUID

import redis
from rq import Queue
from rq.serializers import JSONSerializer

from app.core.database import Connection
from app.core.stream.events import Event, encode_event, new_event_id
from app.core.stream.state import STREAM


def append(client: redis.Redis) -> None:
    client.xadd(STREAM, {"e": encode_event(Event(new_event_id(), 1, UUID(int=1), "v"))})


def stored(connection: Connection) -> int:
    row = connection.execute("SELECT count(*) FROM events").fetchone()
    assert row is not None
    return int(row[0])


def queue_of(client: redis.Redis) -> Queue:
    return Queue("drain", connection=client, serializer=JSONSerializer)


def wake(client: redis.Redis) -> None:
    queue_of(client).enqueue("worker.jobs.drain", result_ttl=0)

"""The streams of the buffer: what they are called, which there are, and in which one an entry is.

There is one, or as many as BUFFER_STREAMS says. Of a cluster all keys of a stream are on one node, by the tag in their
names, so that the mark of an event, its append and the watermark stay one step. The first stream of one Redis has the
names that it had when there was no other.
"""

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

import redis

from app.core.redis_client import redis_errors
from app.core.redis_cluster import is_cluster

MOST_STREAMS = 32
"""Whoever reads looks for so many, whatever is set: after the number was lowered the others are still emptied."""
_PLAIN = "pa"
_SEPARATOR = "@"


def tag_of(client: redis.Redis, stream: int) -> str:
    """How the names of its keys begin."""
    return f"{{pa:{stream}}}" if stream or is_cluster(client) else _PLAIN


def tagged(tag: str, name: str) -> str:
    """The key of a stream that is called `name` (`pa:…`) where there is one stream."""
    return name if tag == _PLAIN else tag + name[len(_PLAIN) :]


def key_of(client: redis.Redis, stream: int) -> str:
    """The stream itself."""
    return f"{tag_of(client, stream)}:events"


def streams_in(client: redis.Redis) -> list[int]:
    """Those that exist, and the first one in any case. Raises RedisUnavailable."""
    names = [key_of(client, stream) for stream in range(1, MOST_STREAMS)]
    with redis_errors():
        if not is_cluster(client) and not _may_be_others(client, names):
            return [0]
        with client.pipeline(transaction=False) as pipeline:
            for name in names:
                pipeline.exists(name)
            found: list[Any] = pipeline.execute()
    return [0, *(stream for stream, exists in enumerate(found, 1) if exists)]


def _may_be_others(client: redis.Redis, names: Iterable[str]) -> bool:
    """A user whose rights end at the keys of one stream (`~pa:*`) has no others."""
    with client.pipeline(transaction=False) as pipeline:
        pipeline.exists(*names)
        [found] = pipeline.execute(raise_on_error=False)
    if isinstance(found, redis.exceptions.NoPermissionError):
        return False
    if isinstance(found, Exception):
        raise found
    return bool(found)


def id_in(stream: int, redis_id: str) -> str:
    """The id of an entry by which it is known outside of Redis: two streams give the same ids."""
    return f"{redis_id}{_SEPARATOR}{stream}" if stream else redis_id


def place_of(entry_id: str) -> tuple[int, str]:
    """The stream of an entry, and its id in there."""
    redis_id, _, stream = entry_id.partition(_SEPARATOR)
    return int(stream or 0), redis_id


def by_stream(entry_ids: Iterable[str]) -> dict[int, list[str]]:
    """Their ids in each stream."""
    found: defaultdict[int, list[str]] = defaultdict(list)
    for entry_id in entry_ids:
        stream, redis_id = place_of(entry_id)
        found[stream].append(redis_id)
    return found

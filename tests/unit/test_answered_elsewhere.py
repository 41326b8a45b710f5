"""When another node may have what one did not take, and when it is not sure that it took nothing."""

import pytest
import redis
from redis.exceptions import BusyLoadingError, ClusterDownError

from app.core.redis_client import NOTHING_SENT
from app.core.redis_cluster import answered_elsewhere


def raising(error: Exception):
    def call() -> str:
        raise error

    return call


def unconnected() -> redis.TimeoutError:
    error = redis.TimeoutError("Timeout connecting to server")
    error.add_note(NOTHING_SENT)
    return error


@pytest.mark.parametrize(
    "refusal",
    [
        unconnected(),
        ClusterDownError("Hash slot not served"),
        BusyLoadingError("Redis is loading the dataset in memory"),
        redis.ResponseError("NOREPLICAS Not enough good replicas to write."),
    ],
    ids=lambda error: type(error).__name__,
)
def test_what_a_node_surely_has_not_done_another_one_does(refusal):
    avoided: list[int] = []
    assert answered_elsewhere([raising(refusal), lambda: "done"], avoided.append) == "done"
    assert avoided == [0]


@pytest.mark.parametrize(
    "error",
    [redis.TimeoutError("Timeout reading from socket"), redis.ConnectionError("lost"), redis.OutOfMemoryError("full")],
    ids=lambda error: type(error).__name__,
)
def test_what_may_have_been_done_and_what_a_full_node_refuses_is_told(error):
    with pytest.raises(type(error)):
        answered_elsewhere([raising(error), lambda: "done"], lambda _position: None)

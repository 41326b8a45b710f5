"""A real Redis Cluster: what the client does when slots move and primaries die, and what else is kept in it."""

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial

import pytest
import redis
from redis.crc import key_slot

from app.core.database import open_pool
from app.core.errors import RedisUnavailable
from app.core.fixed_window import FixedWindow
from app.core.keys.api_key import hash_key
from app.core.keys.directory import KeyDirectory
from app.core.keys.records import CHANGES_PREFIX, RECORD_PREFIX, TOMBSTONE_PREFIX, name_of
from app.core.operations.readiness import check_redis
from app.core.operations.refusal_log import RefusalLog, Refused, read_refusals
from app.core.operations.tallies import DRAINED, add_counts, five_minutes_of, read_counts
from app.core.redis_client import connect, redis_errors
from app.core.redis_cluster import open_redis, primaries_of
from app.core.stream.appending import Outcome
from app.core.stream.buffer import EventBuffer
from app.core.stream.state import labels_in
from app.core.stream.streams import key_of
from app.local.ports import free_port
from chaos.redis_cluster import ClusterNode, RunningCluster
from tests.api_keys import create_key
from tests.drains import an_event
from tests.waiting import wait_until

KEYS = [f"key-{number}" for number in range(30)]
FAILOVER_SECONDS = 60.0
SLOW_INCREMENT = """
local began = redis.call('TIME')
redis.call('INCR', KEYS[1])
repeat local now = redis.call('TIME') until (now[1] - began[1]) * 1000 + (now[2] - began[2]) / 1000 > tonumber(ARGV[1])
"""
open_node = partial(connect, timeout_seconds=5)


@pytest.fixture
def cluster(redis_cluster: RunningCluster) -> Iterator[RunningCluster]:
    redis_cluster.empty()
    yield redis_cluster
    for node in redis_cluster.nodes:
        if node.exit_code() is not None:
            node.restart()
    redis_cluster.wait_until_ready()


@pytest.fixture
def client(cluster: RunningCluster) -> Iterator[redis.Redis]:
    client = open_redis(cluster.url, open_node, cluster=True)
    yield client
    client.close()


def another_primary(cluster: RunningCluster, key: str) -> ClusterNode:
    return next(node for node in cluster.primaries() if node is not cluster.primary_of(key))


def wait_for_failover(cluster: RunningCluster, victim: ClusterNode) -> None:
    wait_until(lambda: victim not in cluster.listed_primaries(), FAILOVER_SECONDS)


def test_each_key_is_found_on_its_node_alone_and_in_pipelines(client):
    with client.pipeline(transaction=False) as pipeline:
        for key in KEYS:
            pipeline.set(key, key.upper())
        assert pipeline.execute() == [True] * len(KEYS)
    assert client.mget(KEYS) == [key.upper().encode() for key in KEYS]
    assert [client.get(key) for key in KEYS] == client.mget(*KEYS)
    assert len({key_slot(key.encode()) // 5_462 for key in KEYS}) == 3


def test_a_transaction_is_one_of_one_slot(client):
    with client.pipeline(transaction=True) as pipeline:
        pipeline.hincrby("counts", "a", 2)
        pipeline.expire("counts", 10)
        assert pipeline.execute() == [2, 1]


def test_an_error_of_a_command_is_that_of_the_command(client):
    client.set("text", "x")
    with client.pipeline(transaction=False) as pipeline:
        pipeline.incr("text")
        pipeline.set("other", "y")
        wrong, right = pipeline.execute(raise_on_error=False)
    assert isinstance(wrong, redis.ResponseError)
    assert right is True


def test_it_follows_a_slot_that_has_moved_and_one_that_is_on_its_way(client, cluster):
    buffer = EventBuffer(client, streams=3)
    for _ in range(30):
        buffer.append(an_event(1))
    stream = key_of(client, 1)
    source, target, slot = cluster.primary_of(stream), another_primary(cluster, stream), key_slot(stream.encode())
    target.ask("CLUSTER SETSLOT", slot, "IMPORTING", cluster.id_of(source))
    source.ask("CLUSTER SETSLOT", slot, "MIGRATING", cluster.id_of(target))
    source.ask("MIGRATE", "127.0.0.1", target.port, stream, 0, 10_000, "AUTH", source.password)
    # the stream is there, its wake-up flag may be here, and its marks have never been anywhere
    outcomes = {buffer.append(an_event(1), mark=b"%d" % number).outcome for number in range(30)}
    assert outcomes == {Outcome.STORED}
    assert buffer.state().depth == 60
    assert labels_in(client, at_most=60) == []
    assert len(buffer.read_new("w", 100)) == 60
    cluster.move_slot(stream, target)
    assert buffer.append(an_event(1), mark=b"last").outcome is Outcome.STORED
    assert (buffer.state().depth, buffer.state().pending) == (61, 60)


def test_while_a_primary_is_away_its_share_goes_to_the_others_and_its_own_comes_back(client, cluster):
    buffer = EventBuffer(client, streams=8)
    for _ in range(40):
        buffer.append(an_event(1))
    victim = cluster.primary_of(key_of(client, 1))
    away = sum(5 for stream in range(8) if cluster.primary_of(key_of(client, stream)) is victim)
    victim.ask("WAIT", 1, 5_000)
    victim.kill()
    assert {buffer.append(an_event(1)).outcome for _ in range(12)} == {Outcome.STORED}
    # dead letters that are replayed, too
    assert len({buffer.append_again(b"x", 1, first_id="1-1", project_id=None) for _ in range(8)}) == 8
    # what the others have is read meanwhile
    assert len(buffer.read_new("w", 100)) == 60 - away
    with pytest.raises(RedisUnavailable):
        buffer.read_new("w", 100)
    wait_for_failover(cluster, victim)
    assert wait_until(lambda: _answered(lambda: buffer.state().depth == 60), FAILOVER_SECONDS)
    # its replica has never heard of the script
    assert {buffer.append(an_event(1)).outcome for _ in range(6)} == {Outcome.STORED}
    victim.restart()
    cluster.wait_until_ready()
    assert buffer.state().depth == 66


def test_while_a_primary_is_away_the_keys_and_limits_it_had_go_on(client, cluster, database_url):
    buffer = EventBuffer(client, streams=8)
    victim = cluster.primary_of(key_of(client, 1))
    on_it = (number for number in range(1_000) if cluster.primary_of(f"pa:limit:{number}") is victim)
    window = FixedWindow(f"pa:limit:{next(on_it)}", 5, 60_000)
    keys = iter(lambda: create_key(database_url), "")
    key = next(key for key in keys if cluster.primary_of(RECORD_PREFIX + name_of(client, hash_key(key))) is victim)
    assert buffer.append(an_event(1), window=window).hits == 1
    victim.kill()
    assert {buffer.append(an_event(1), window=window).outcome for _ in range(8)} == {Outcome.STORED}
    pool = open_pool(database_url, application_name="test", size=1)
    assert KeyDirectory(client, pool).find(key).scopes == ["ingest"]
    pool.close()


def test_what_a_primary_without_its_replica_refuses_the_others_take(client, cluster):
    buffer = EventBuffer(client, streams=8)
    alone = cluster.primary_of(key_of(client, 1))
    on_it = (number for number in range(1_000) if cluster.primary_of(f"pa:limit:{number}") is alone)
    window = FixedWindow(f"pa:limit:{next(on_it)}", 100, 60_000)
    alone.ask("CONFIG", "SET", "min-replicas-to-write", 5)
    try:
        assert {buffer.append(an_event(1), window=window).outcome for _ in range(16)} == {Outcome.STORED}
    finally:
        alone.ask("CONFIG", "SET", "min-replicas-to-write", 0)
    assert buffer.state().depth == 16


def _answered(condition) -> bool:
    try:
        return bool(condition())
    except RedisUnavailable:
        return False


def test_a_command_whose_answer_is_lost_is_not_sent_again(cluster):
    client = open_redis(cluster.url, partial(connect, timeout_seconds=1), cluster=True)
    assert client.get("n") is None
    with pytest.raises(redis.TimeoutError):
        client.eval(SLOW_INCREMENT, 1, "n", 1_500)
    with pytest.raises(redis.ConnectionError, match="was silent a moment ago"):
        client.get("n")
    assert wait_until(lambda: cluster.primary_of("n").ask("GET", "n")) == b"1"
    wait_until(lambda: _answered(lambda: EventBuffer(client).state().depth == 0))


def test_it_finds_the_cluster_by_any_node_that_the_url_names(cluster):
    login = cluster.url.partition("@")[0]
    url = f"{login}@127.0.0.1:{free_port()},127.0.0.1:{cluster.nodes[4].port}/0"
    assert open_redis(url, open_node, cluster=True).set("key", "x") is True


def test_without_a_node_it_fails_at_once_and_connects_when_there_is_one():
    client = open_redis(f"redis://127.0.0.1:{free_port()}/0", open_node, cluster=True)
    with pytest.raises(RedisUnavailable, match="no node of the cluster answers"), redis_errors():
        client.get("key")


def test_all_that_redis_has_of_an_api_key_is_in_one_slot(client):
    names = [prefix + name_of(client, b"\x01" * 32) for prefix in (RECORD_PREFIX, TOMBSTONE_PREFIX, CHANGES_PREFIX)]
    assert len({key_slot(name.encode()) for name in names}) == 1


def test_tallies_and_refusals_of_all_projects_are_kept(client):
    now = datetime.now(UTC)
    buckets = [five_minutes_of(now.timestamp() - 3_600 * hour) for hour in range(6)]
    add_counts(client, DRAINED, {(bucket, "stored"): 3 for bucket in buckets})
    assert read_counts(client, DRAINED, now) == {(bucket, "stored"): 3 for bucket in buckets}
    log = RefusalLog(client, delay_seconds=0)
    for project_id in range(1, 7):
        log.note(Refused(project_id, 1, "event", 400, "VALIDATION_ERROR", "r", ()))
    wait_until(lambda: all(len(read_refusals(client, project_id, now)) == 1 for project_id in range(1, 7)))


def test_readiness_looks_at_every_primary(client, cluster):
    buffer = EventBuffer(client, streams=3)
    assert set(check_redis(client, buffer, buffer_max_events=10).values()) == {None}
    assert len(primaries_of(client)) == 3
    node = cluster.primaries()[-1]
    node.ask("CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
    try:
        problems = check_redis(client, buffer, buffer_max_events=10)
        assert problems["redis_settings"] == "Redis may evict events: set maxmemory-policy to noeviction."
    finally:
        node.ask("CONFIG", "SET", "maxmemory-policy", "noeviction")
    # whoever forgets the setting is told of it
    with node.client() as plain:
        assert "set REDIS_CLUSTER to on" in str(check_redis(plain, buffer, buffer_max_events=10)["redis_settings"])


def test_workers_begin_with_streams_of_their_own_and_leave_none_out(client):
    buffers = {name: EventBuffer(client, streams=6) for name in ("worker-1", "worker-2")}
    for _ in range(2):
        # at the first look nobody has seen the other
        for name, buffer in buffers.items():
            buffer._reader._next_look = 0.0
            buffer.read_new(name, 1)
            buffer._reader._others_next = float("inf")
    own = {name: set(buffer._reader._own) for name, buffer in buffers.items()}
    assert own["worker-1"] | own["worker-2"] == set(range(6))
    assert not own["worker-1"] & own["worker-2"]
    for _ in range(60):
        buffers["worker-1"].append(an_event(1))
    first = buffers["worker-1"].read_new("worker-1", 1_000)
    assert Counter(entry.entry_id.partition("@")[2] or "0" for entry in first) == {
        str(stream): 10 for stream in own["worker-1"]
    }
    assert len(buffers["worker-1"].read_new("worker-1", 1_000)) == 60 - len(first)

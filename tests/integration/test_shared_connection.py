"""The shared connection, in processes of their own, which gevent has patched as gunicorn's are."""

from functools import partial

import pytest

from app.local.redis_server import RunningRedis
from tests.gevent_script import run_in_gevent

BEGIN = """
def outcome(call, *args):
    try:
        return call(*args)
    except redis.RedisError as error:
        return type(error).__name__

def until(condition):
    with gevent.Timeout(10):
        while not condition():
            gevent.sleep(0.01)
"""


@pytest.fixture
def run(redis_server: RunningRedis, clean_redis: None):
    return partial(run_in_gevent, BEGIN, redis_url=redis_server.url)


def test_everybody_gets_the_answer_to_their_own_command(run):
    run("""
        calls = [(client.set, f"key{n}", n) for n in range(500)]
        assert all_at_once(*calls) == [True] * 500
        assert all_at_once(*[(client.get, f"key{n}") for n in range(500)]) == [b"%d" % n for n in range(500)]
    """)


def test_commands_at_the_same_time_share_one_connection_and_few_round_trips(run):
    run("""
        client.ping()
        before = plain.info("clients")["connected_clients"], plain.info("stats")["total_reads_processed"]
        all_at_once(*[(client.incr, "n") for _ in range(500)])
        after = plain.info("clients")["connected_clients"], plain.info("stats")["total_reads_processed"]
        assert plain.get("n") == b"500"
        assert after[0] == before[0]
        assert after[1] - before[1] < 50, after[1] - before[1]
    """)


def test_a_refusal_reaches_only_the_one_who_is_refused(run):
    run("""
        client.set("text", "x")
        assert all_at_once((client.incr, "a"), (client.incr, "text"), (client.incr, "b")) == [1, "ResponseError", 1]
    """)


def test_scripts_and_pipelines_work_as_on_any_client(run):
    run("""
        script = client.register_script("return redis.call('INCRBY', KEYS[1], ARGV[1])")
        assert all_at_once(*[(lambda: script(keys=["n"], args=[2]),)] * 3) == [2, 4, 6]
        with client.pipeline() as pipeline:
            assert pipeline.incr("n").incr("n").execute() == [7, 8]
    """)


def test_a_lost_connection_fails_all_in_flight_once_and_nothing_is_sent_again(run):
    run("""
        client.set("warm", "up")
        plain.execute_command("CLIENT", "PAUSE", 1_000)
        flying = [gevent.spawn(outcome, client.incr, "n") for _ in range(20)]
        gevent.sleep(0.05)
        client._shared._sock.shutdown(2)
        gevent.joinall(flying)
        assert {greenlet.value for greenlet in flying} == {"ConnectionError"}, {g.value for g in flying}
        until(lambda: outcome(client.ping) is True)
        assert int(plain.get("n") or 0) <= 20
        assert all_at_once(*[(client.incr, "m") for _ in range(5)]) == [1, 2, 3, 4, 5]
    """)


def test_a_silent_server_fails_everybody_within_the_timeout_and_is_asked_anew(run):
    run("""
        import time
        client.ping()
        plain.execute_command("CLIENT", "PAUSE", 2_000)
        began = time.monotonic()
        assert set(all_at_once(*[(client.incr, "n") for _ in range(20)])) == {"TimeoutError"}
        assert 0.4 < time.monotonic() - began < 4
        until(lambda: outcome(client.ping) is True)
        assert all_at_once(*[(client.incr, "m") for _ in range(3)]) == [1, 2, 3]
    """)


def test_one_who_gives_up_waiting_leaves_the_others_their_answers(run):
    run("""
        client = SharedConnectionRedis(connect(sys.argv[1], timeout_seconds=5).connection_pool)
        client.ping()
        plain.execute_command("CLIENT", "PAUSE", 1_000)
        impatient = gevent.spawn(lambda: gevent.with_timeout(0.02, client.set, "a", "1", timeout_value="gave up"))
        patient = gevent.spawn(client.echo, "mine")
        gevent.joinall([impatient, patient])
        assert (impatient.value, patient.value) == ("gave up", b"mine")
    """)


def test_without_a_server_it_fails_at_once_and_comes_back_with_it(run, redis_server: RunningRedis):
    redis_server.stop()
    try:
        run("""
            import time
            began = time.monotonic()
            assert set(all_at_once(*[(client.incr, "n") for _ in range(20)])) == {"ConnectionError"}
            assert time.monotonic() - began < 2
        """)
    finally:
        redis_server.restart()
    run("""
        assert client.incr("n") == 1
    """)


def test_a_connection_that_was_lost_while_nothing_was_in_flight_costs_nobody_an_answer(run):
    run("""
        client.ping()
        for _ in range(3):
            plain.client_kill_filter(_type="normal", skipme=True)
            gevent.sleep(0.1)
            assert all_at_once(*[(client.echo, "here") for _ in range(5)]) == [b"here"] * 5
    """)


def test_nobody_waits_for_ever_even_where_the_sender_hangs(run):
    run("""
        client.ping()
        sender, receiver, _ = client._greenlets
        gevent.killall([sender, receiver])
        assert set(all_at_once(*[(client.ping,)] * 3)) == {"TimeoutError"}
    """)


def test_a_redis_that_became_a_replica_is_left(run):
    run("""
        before = client.client_id()
        plain.replicaof("127.0.0.1", "1")
        assert outcome(client.set, "a", "b") == "ReadOnlyError"
        plain.replicaof("NO", "ONE")
        until(lambda: outcome(client.client_id) not in (before, "ConnectionError", "ReadOnlyError"))
        assert client.set("a", "b")
    """)


def test_nobody_waits_for_ever_where_the_name_of_the_server_is_looked_up_in_vain(run):
    run("""
        client.connection_pool.connection_class = type("Hanging", (redis.Connection,), {
            "connect": lambda self, *args, **options: gevent.sleep(3_600),
        })
        assert set(all_at_once(*[(client.ping,)] * 3)) == {"TimeoutError"}
    """)

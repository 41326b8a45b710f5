"""Flights, in processes of their own, which gevent has patched as gunicorn's are."""

from functools import partial

import pytest

from app.local.redis_server import RunningRedis
from tests.gevent_script import run_in_gevent

BEGIN = """
from uuid import UUID
from app.core.stream.appending import Outcome, one_by_one
from app.core.stream.buffer import EventBuffer
from app.core.stream.events import Event, new_event_id
from app.web.fast.flights import MOST_EVENTS, Flights, in_flights
buffer = EventBuffer(client, together=in_flights)

def an_event():
    return Event(new_event_id(), 1, UUID(int=1), "v")

def outcome(call, *args, **options):
    try:
        return call(*args, **options)
    except Exception as error:
        return type(error).__name__

def script_calls():
    return plain.info("commandstats").get("cmdstat_evalsha", {"calls": 0})["calls"]
"""


@pytest.fixture
def run(redis_server: RunningRedis, clean_redis: None):
    return partial(run_in_gevent, BEGIN, redis_url=redis_server.url)


def test_events_at_the_same_time_share_few_calls_of_the_script_and_all_go_in(run):
    run("""
        buffer.append(an_event())
        before = script_calls()
        answers = all_at_once(*[(buffer.append, an_event()) for _ in range(300)])
        assert {answer.outcome for answer in answers} == {Outcome.STORED}
        assert plain.xlen("pa:events") == 301
        assert script_calls() - before <= 3, script_calls() - before
    """)


def test_a_flight_has_no_more_events_than_redis_takes_at_once(run):
    run("""
        flown = []
        def send(asked):
            flown.append(len(asked))
            gevent.sleep(0.01)
            return [[0, 0, 0, 0]] * len(asked)
        ask = in_flights(send)
        from app.core.stream.appending import Asked
        of = lambda size: Asked(None, "m", b"", [b""] * size, [b""] * size)
        all_at_once((ask, of(1)), (ask, of(MOST_EVENTS)), *[(ask, of(1))] * (MOST_EVENTS + 1))
        assert flown == [1, 1, MOST_EVENTS, 1], flown
    """)


def test_everybody_gets_their_own_answer_and_a_repeat_is_one(run):
    run("""
        once = Event(new_event_id(), 1, UUID(int=1), "v")
        append = lambda: buffer.append(once, mark=b"k").outcome
        answers = all_at_once(*[(append,)] * 50)
        assert sorted(answers) == [Outcome.STORED] + [Outcome.REPLAYED] * 49
        assert plain.xlen("pa:events") == 1
    """)


def test_a_lost_connection_fails_all_in_the_flight_and_nothing_is_sent_again(run):
    run("""
        buffer.append(an_event())
        plain.execute_command("CLIENT", "PAUSE", 1_000)
        flying = [gevent.spawn(outcome, buffer.append, an_event()) for _ in range(20)]
        gevent.sleep(0.05)
        client._shared._sock.shutdown(2)
        gevent.joinall(flying)
        assert {greenlet.value for greenlet in flying} == {"RedisUnavailable"}
        with gevent.Timeout(10):
            while outcome(buffer.append, an_event()) == "RedisUnavailable":
                gevent.sleep(0.01)
        assert plain.xlen("pa:events") <= 22
    """)


def test_one_who_gives_up_waiting_leaves_the_others_their_answers(run):
    run("""
        slow = SharedConnectionRedis(connect(sys.argv[1], timeout_seconds=5).connection_pool)
        buffer = EventBuffer(slow, together=in_flights)
        buffer.append(an_event())
        plain.execute_command("CLIENT", "PAUSE", 500)
        impatient = gevent.spawn(lambda: gevent.with_timeout(0.02, buffer.append, an_event(), timeout_value="gave up"))
        patient = gevent.spawn(buffer.append, an_event())
        gevent.joinall([impatient, patient])
        assert (impatient.value, patient.value.outcome) == ("gave up", Outcome.STORED)
    """)


def test_a_flight_that_answers_too_little_leaves_nobody_waiting(run):
    run("""
        from app.core.stream.appending import Asked
        ask = in_flights(lambda asked: [])
        asked = Asked(None, "m", b"", [b""], [b""])
        with gevent.Timeout(10):
            assert all_at_once((ask, asked), (ask, asked)) == ["ValueError"] * 2
    """)


def test_a_redis_that_became_a_replica_is_left(run):
    run("""
        buffer.append(an_event())
        before = client.client_id()
        plain.replicaof("127.0.0.1", "1")
        assert set(all_at_once(*[(buffer.append, an_event())] * 2)) == {"RedisUnavailable"}
        plain.replicaof("NO", "ONE")
        with gevent.Timeout(10):
            while outcome(client.client_id) in (before, "ConnectionError", "ReadOnlyError"):
                gevent.sleep(0.01)
        assert buffer.append(an_event()).outcome is Outcome.STORED
    """)


def test_nobody_waits_for_one_flight_after_the_other_where_redis_is_silent(run):
    run("""
        import time
        batch = [an_event() for _ in range(MOST_EVENTS)]
        buffer.append(an_event())
        plain.execute_command("CLIENT", "PAUSE", 20_000, "WRITE")
        began_at = time.monotonic()
        assert set(all_at_once(*[(buffer.append, *batch)] * 12)) == {"RedisUnavailable"}
        plain.execute_command("CLIENT", "UNPAUSE")
        waited = time.monotonic() - began_at
        assert waited < 4, waited
    """)

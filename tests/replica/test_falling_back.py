"""What a standby cannot answer the primary does, once, and nobody waits for one that is away."""

from collections.abc import Callable
from datetime import UTC, datetime

import psycopg
import pytest

from app.core.database import Connection, ConnectionPool, run
from app.core.errors import DatabaseTooSlow
from app.core.operations.replica import Patience, Replica, read
from app.local.postgres import RunningPostgres
from tests.standby import RunningStandby
from tests.waiting import wait_until

PATIENCE = Patience(2.0, 20.0)
IN_RECOVERY = "SELECT pg_is_in_recovery()"

Read = Callable[[Callable[[Connection], object]], tuple[object, bool]]


@pytest.fixture
def ask(pools: tuple[ConnectionPool, ConnectionPool], replica: Replica) -> Read:
    """What the work makes of it, and whether the standby did it."""

    def ask_one(work: Callable[[Connection], object]) -> tuple[object, bool]:
        def ask_primary(seconds: float) -> object:
            return run(pools[0], work, deadline_seconds=seconds, snapshot=True)

        found, answer = read(replica, ask_primary, work, PATIENCE, snapshot=True)
        return found, answer.from_standby

    wait_until(lambda: replica.standing().state == "in use")
    return ask_one


def in_recovery(connection: Connection) -> object:
    return connection.execute(IN_RECOVERY).fetchone()


def test_a_question_is_the_standbys(ask: Read) -> None:
    assert ask(in_recovery) == ((True,), True)


def test_what_is_cancelled_for_the_sake_of_the_replay_is_asked_of_the_primary(
    ask: Read, replica: Replica, postgres: RunningPostgres, standby: RunningStandby
) -> None:
    with psycopg.connect(postgres.url, autocommit=True) as primary:
        primary.execute("CREATE TABLE IF NOT EXISTS conflicting (number integer)")
        standby.wait_for(postgres)
        asked = []

        def work(connection: Connection) -> object:
            found = in_recovery(connection)
            asked.append(found)
            if found == (True,):
                connection.execute("SELECT count(*) FROM conflicting")
                primary.execute("DROP TABLE conflicting")
                connection.execute("SELECT pg_sleep(30)")
            return found

        assert ask(work) == ((False,), False)
        assert asked == [(True,), (False,)]
    wait_until(lambda: replica.standing().state == "in use")


def test_what_writes_is_done_by_the_primary(pools: tuple[ConnectionPool, ConnectionPool], replica: Replica) -> None:
    wait_until(lambda: replica.standing().state == "in use")

    def work(connection: Connection) -> object:
        connection.execute("CREATE TEMPORARY TABLE t (number integer)")
        return in_recovery(connection)

    found, answer = read(
        replica, lambda seconds: run(pools[0], work, deadline_seconds=seconds), work, PATIENCE, snapshot=False
    )
    assert (found, answer.from_standby) == ((False,), False)


def test_what_takes_too_long_is_not_asked_twice(ask: Read) -> None:
    def work(connection: Connection) -> object:
        assert in_recovery(connection) == (True,)
        connection.execute("SET LOCAL statement_timeout = 50")
        return connection.execute("SELECT pg_sleep(30)")

    with pytest.raises(DatabaseTooSlow):
        ask(work)


def test_a_server_that_is_no_standby_is_not_read(pools: tuple[ConnectionPool, ConnectionPool]) -> None:
    """As where it was promoted, and others go on writing elsewhere."""
    promoted = Replica(pools[0], pools[0])
    wait_until(lambda: promoted.standing().state == "not a standby")


def test_one_that_was_put_back_is_not_as_fresh_as_it_was(
    replica: Replica, postgres: RunningPostgres, standby: RunningStandby
) -> None:
    """As where it crashed, and has not replayed again what it had."""
    with standby.paused(), psycopg.connect(postgres.url, autocommit=True) as primary:
        primary.execute("CREATE TABLE IF NOT EXISTS later (number integer); DROP TABLE later")
        known = datetime.now(UTC)
        replica._known = (known, "0/1")
        assert replica._compare().as_of == known, "it is further than it was, and has nothing new"
        replica._known = (known, "FFFFFFFF/0")
        put_back = replica._compare()
        assert put_back.as_of is not None
        assert put_back.as_of < known


def test_one_that_hangs_is_waited_for_once(replica: Replica, standby: RunningStandby) -> None:
    wait_until(lambda: replica.standing().state == "in use")
    with standby.frozen():
        replica.doubt()
        assert replica.standing().state == "away"
        assert replica._given_up is replica._look
    replica.doubt()
    wait_until(lambda: replica.standing().state == "in use", 60)

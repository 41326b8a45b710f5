"""A reply that gets lost between living ends: nobody waits for it for ever, and its locks go."""

from collections.abc import Iterator

import psycopg
import pytest

from app.core.reply_deadline import impatient_connection
from chaos.proxy import Fault, Proxy
from tests.waiting import wait_until

LOSE_ALL = Fault("drop", 1)
COPY = "COPY held (number) FROM STDIN"
HOLDING = "SELECT count(*) FROM pg_locks WHERE relation = 'held'::regclass"


@pytest.fixture
def proxy(database_url: str) -> Iterator[Proxy]:
    port = psycopg.conninfo.conninfo_to_dict(database_url)["port"]
    with Proxy(int(str(port))) as proxy:
        yield proxy


def through(proxy: Proxy, database_url: str, wait_seconds: float) -> "psycopg.Connection[tuple[object, ...]]":
    return impatient_connection(wait_seconds).connect(database_url, port=proxy.port)


def test_a_lost_reply_ends_the_connection(proxy: Proxy, database_url: str):
    with through(proxy, database_url, 1) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)
        proxy.bring(LOSE_ALL)
        with pytest.raises(psycopg.OperationalError, match="no reply in time"):
            connection.execute("SELECT 2")
        assert connection.closed


def test_a_copy_whose_beginning_was_lost_gives_its_locks_back(proxy: Proxy, database_url: str):
    with psycopg.connect(database_url, autocommit=True) as other:
        other.execute("CREATE TABLE held (number integer)")
        try:
            connection = through(proxy, database_url, 1)
            connection.execute("INSERT INTO held VALUES (1)")
            proxy.bring(LOSE_ALL)
            with (
                pytest.raises(psycopg.OperationalError, match="no reply in time"),
                connection.cursor() as cursor,
                cursor.copy(COPY),
            ):
                raise AssertionError("the copy cannot have begun")
            wait_until(lambda: other.execute(HOLDING).fetchone() == (0,))
        finally:
            other.execute("DROP TABLE held")


def test_slow_replies_in_time_are_waited_for(proxy: Proxy, database_url: str):
    with through(proxy, database_url, 30) as connection:
        assert connection.execute("SELECT pg_sleep(0.5), 7").fetchone() == ("", 7)
        with connection.cursor() as cursor, cursor.copy("COPY (SELECT generate_series(1, 10000)) TO STDOUT") as copy:
            assert len(list(copy.rows())) == 10_000

"""What /readyz says of losses, clocks, detached partitions, and of a stream that strangers have written into."""

from datetime import UTC, datetime

import psycopg
import pytest
import redis
from flask.testing import FlaskClient

from app.core.operations.readiness import clocks_problem
from app.core.queries.losses import note_losses
from app.core.stream.state import STREAM
from tests.drains import open_connection
from tests.health import Servers, new_client, problems

INSERT_LOSS = """
INSERT INTO losses (series, project_id, hour, numbers, first_at, last_at)
VALUES ('s', 1, '2026-11-27 10:00+00', '{[5,9)}', '2026-11-27 10:05:06+00', '2026-11-27 10:05:09+00')
"""


def test_a_failing_check_names_the_address_of_its_entry_where_that_is_known(servers: Servers) -> None:
    asked = new_client(servers.postgres.url, "redis://127.0.0.1:1", PUBLIC_URL="https://analytics.example.org")
    found = problems(asked)
    assert set(found) == {"redis"}
    assert found["redis"].endswith(" (https://analytics.example.org/docs/runbook#redis)")


def test_it_names_how_many_acknowledged_events_are_missing_and_since_when(
    client: FlaskClient, servers: Servers
) -> None:
    with open_connection(servers.postgres.url) as connection:
        connection.execute(INSERT_LOSS)
        try:
            found = problems(client)
            assert set(found) == {"losses"}
            assert "4 acknowledged events are missing" in found["losses"]
            assert "2026-11-27 10:05:06" in found["losses"]
            assert "(/docs/runbook#losses)" in found["losses"]
            assert b"prompt_analytics_events_lost 4.0" in client.get("/metrics").data
            note_losses(connection)
        finally:
            connection.execute("DELETE FROM losses WHERE noted_at IS NULL")


def test_a_loss_that_somebody_has_noted_is_no_news(client: FlaskClient, servers: Servers) -> None:
    with open_connection(servers.postgres.url) as connection:
        connection.execute(INSERT_LOSS)
        note_losses(connection)
        assert client.get("/readyz").status_code == 200
        connection.execute("DELETE FROM losses")


def test_it_names_a_partition_that_is_attached_to_nothing(client: FlaskClient, servers: Servers) -> None:
    with psycopg.connect(servers.postgres.url, autocommit=True) as connection:
        connection.execute("CREATE TABLE events_20200101 (LIKE events)")
        try:
            assert "events_20200101" in problems(client)["partitions"]
        finally:
            connection.execute("DROP TABLE events_20200101")


def test_it_names_what_is_in_the_place_of_the_stream(client: FlaskClient, redis_client: redis.Redis) -> None:
    redis_client.set(STREAM, "a string")
    found = problems(client)
    assert set(found) == {"buffer"}
    assert "no stream" in found["buffer"]
    assert client.get("/metrics").status_code == 200


def test_it_names_a_stream_whose_ids_are_used_up(client: FlaskClient, redis_client: redis.Redis) -> None:
    redis_client.xadd(STREAM, {"e": b"x"}, id="18446744073709551615-18446744073709551615")
    assert "ahead of Redis's clock" in problems(client)["buffer"]


@pytest.mark.parametrize("received", ["abc", "-9999999999999999"])
def test_an_entry_without_a_readable_time_leaves_the_checks_working(
    client: FlaskClient, redis_client: redis.Redis, received: str
) -> None:
    redis_client.xadd(STREAM, {"e": b"x", "t": received})
    assert client.get("/readyz").status_code == 200
    assert client.get("/metrics").status_code == 200


def test_clocks_that_are_more_than_an_hour_apart_are_named() -> None:
    now = datetime.now(UTC)
    assert clocks_problem(now - now) is None
    assert "nothing is cleaned up" in (clocks_problem(now.replace(year=2000) - now) or "")

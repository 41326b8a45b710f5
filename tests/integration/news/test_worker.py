"""Real worker processes: news goes out beside the drain, and after a kill again."""

import functools
from collections.abc import Iterator

import pytest
import redis

from app.core.database import Connection
from app.core.queries.news import insert_test_news
from tests.conftest import StartProcess
from tests.news import deliveries, make_webhook, write_news, written
from tests.processes import AppProcess
from tests.receivers import Receiver, is_genuine
from tests.waiting import wait_until
from tests.worker_queue import append, stored

pytestmark = pytest.mark.usefixtures("clean_redis")

ALLOWED = {"webhook_private_addresses": "allow", "webhook_http": "allow", "public_url": "https://a.example"}
INSERT_BUDGET = "INSERT INTO budgets (project_id, prompt_key, usd_per_month) VALUES (1, 0, 0.000001)"
END_LEASES = "UPDATE deliveries SET leased_until = now() WHERE leased_until IS NOT NULL"


@pytest.fixture
def hanging(receiver: Receiver) -> Iterator[Receiver]:
    """It takes what is sent, and does not answer."""
    receiver.may_answer.clear()
    yield receiver
    receiver.may_answer.set()


def test_it_delivers_what_is_written_and_tells_what_it_finds(start: StartProcess, database: Connection, receiver):
    _, secret = make_webhook(database, receiver.url)
    database.execute(INSERT_BUDGET)
    database.execute(
        "INSERT INTO rollups SELECT 1, 0, 0, 'day', date_trunc('day', now()), 1, 0, 0, 0, NULL, NULL, 0, 0, '', "
        "1, 5, 25, 5, 5, 0, 0, 0, NULL, NULL"
    )
    process = start("worker", **ALLOWED)
    wait_until(lambda: len(receiver.received) == 3, 60)
    assert all(is_genuine(secret, got.headers, got.body) for got in receiver.received)
    assert sorted(got.message["data"]["percent"] for got in receiver.received) == [50, 80, 100]
    assert receiver.received[0].message["url"] == "https://a.example/dashboard/budgets?project=1"
    wait_until(lambda: {each.state for each in deliveries(database)} == {"delivered"}, 20)
    assert receiver.url not in process.log()
    assert secret not in process.log()


def test_a_receiver_that_hangs_holds_up_no_drain(
    start: StartProcess, database: Connection, client: redis.Redis, hanging: Receiver
):
    for number in range(5):
        make_webhook(database, hanging.url, name=str(number))
    write_news(database)
    start("worker", **ALLOWED)
    wait_until(lambda: len(hanging.received) >= 3, 30)
    for count in range(1, 4):
        append(client)
        wait_until(functools.partial(has_stored, database, count), 20)
    # all of that while nobody has answered
    assert not hanging.may_answer.is_set()
    assert {each.state for each in deliveries(database)} == {"pending"}


def has_stored(connection: Connection, count: int) -> bool:
    return stored(connection) == count


def test_a_worker_that_is_killed_in_the_middle_leaves_it_to_another(
    start: StartProcess, database: Connection, hanging: Receiver
):
    make_webhook(database, hanging.url)
    write_news(database)
    process = start("worker", **ALLOWED)
    wait_until(lambda: len(hanging.received) == 1, 30)
    process.kill()
    hanging.may_answer.set()
    assert deliveries(database)[0].state == "pending"
    # the lease is a minute, which is no thing to wait for here
    database.execute(END_LEASES)
    start("worker", **ALLOWED)
    wait_until(lambda: deliveries(database)[0].state == "delivered", 30)
    assert len(hanging.ids) == 2
    assert len(set(hanging.ids)) == 1


def test_sigterm_lets_the_attempt_in_hand_finish(start: StartProcess, database: Connection, hanging: Receiver):
    make_webhook(database, hanging.url)
    write_news(database)
    process: AppProcess = start("worker", **ALLOWED)
    wait_until(lambda: len(hanging.received) == 1, 30)
    process.child.ask_to_stop()
    hanging.may_answer.set()
    wait_until(lambda: process.exit_code() is not None, 20)
    assert process.exit_code() == 0
    assert [(each.state, each.attempts) for each in deliveries(database)] == [("delivered", 1)]


def test_without_the_settings_nothing_is_sent_inside(start: StartProcess, database: Connection, receiver: Receiver):
    secure = receiver.url.replace("http://", "https://")
    for url in (receiver.url, secure):
        webhook_id, _ = make_webhook(database, url)
        assert insert_test_news(database, webhook_id, project_id=1, period=url)
    start("worker")
    wait_until(lambda: all(each.answer for each in deliveries(database)), 30)
    plain, private = deliveries(database)
    assert plain.answer == "Not sent: only https:// is allowed."
    assert private.answer is not None
    assert "only addresses on the internet are allowed" in private.answer
    assert receiver.received == []
    assert len(written(database)) == 2


def test_a_debug_log_tells_neither_address_nor_secret(start: StartProcess, database: Connection, receiver: Receiver):
    path = "/services/a-secret-path"
    _, secret = make_webhook(database, receiver.url.replace("/hook", path))
    write_news(database)
    process = start("worker", log_level="debug", **ALLOWED)
    wait_until(lambda: "attempted a delivery of news" in process.log(), 30)
    assert path not in process.log()
    assert secret not in process.log()

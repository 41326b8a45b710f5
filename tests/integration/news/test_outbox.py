"""What is written for whom, what becomes of it when a webhook goes or cannot be read, and when it is deleted."""

import functools
import ssl
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import psycopg

from app.core.database import Connection
from app.core.news.sealing import sealing_key
from app.core.news.webhooks import WebhookAddress, change_webhook, replace_secret
from app.core.queries.audit_log import COMMAND_LINE
from app.core.queries.deliveries import give_up_deliveries
from app.core.queries.webhooks import delete_webhook, update_webhook
from tests.certificates import tls_of
from tests.news import ALL_KINDS, LENIENT, answering, courier, deliveries, make_webhook, write_news, written
from tests.receivers import open_receiver
from tests.waiting import wait_until
from worker.maintenance import maintain
from worker.news.delivery import deliver_next
from worker.news.post import Answer, post


def test_only_webhooks_that_want_it_and_are_there_and_on_get_it(database: Connection):
    wanting, _ = make_webhook(database, "https://a.test/", kinds=["silence"])
    make_webhook(database, "https://b.test/", kinds=["budget"])
    off, _ = make_webhook(database, "https://c.test/", name="off")
    update_webhook(database, 1, off, name="off", kinds=ALL_KINDS, is_enabled=False)
    database.execute("INSERT INTO projects (name) VALUES ('other')")
    make_webhook(database, "https://d.test/", project_id=2)
    assert write_news(database)
    assert not write_news(database), "the same once more"
    make_webhook(database, "https://e.test/")
    rows = database.execute("SELECT webhook_id FROM deliveries").fetchall()
    assert rows == [(wanting,)]
    assert written(database) == [(1, "silence", "1")]


def test_what_is_under_way_to_a_webhook_that_is_deleted_is_forgotten(database, pool):
    webhook_id, _ = make_webhook(database, "https://a.test/")
    write_news(database)

    def delete_it(_address: str, _body: bytes, _headers: dict[str, str]) -> Answer:
        assert delete_webhook(database, 1, webhook_id) == "ops"
        return Answer(200, "")

    assert deliver_next(pool, courier(delete_it))
    assert deliveries(database) == []
    assert written(database) != []


def test_another_secret_key_sends_nothing_and_says_what_to_do(database, pool):
    make_webhook(database, "https://a.test/")
    write_news(database)
    send, ids = answering(Answer(200, ""))
    assert deliver_next(pool, courier(send, key=sealing_key("another key" * 4)))
    (kept,) = deliveries(database)
    assert (ids, kept.state, kept.status) == ([], "pending", None)
    assert kept.answer is not None
    assert "Enter the address again" in kept.answer


def test_after_another_secret_key_a_new_address_and_a_new_secret_are_enough(database, pool):
    webhook_id, _ = make_webhook(database, "https://a.test/")
    key = sealing_key("another key" * 4)
    change_webhook(
        database,
        key,
        1,
        webhook_id,
        name="ops",
        address=WebhookAddress(host="a.test", text="https://a.test/"),
        kinds=ALL_KINDS,
        is_enabled=True,
        by=COMMAND_LINE,
    )
    replace_secret(database, key, 1, webhook_id, by=COMMAND_LINE, now=datetime.now(UTC))
    write_news(database)
    send, ids = answering(Answer(200, ""))
    assert deliver_next(pool, courier(send, key=key))
    assert len(ids) == 1


def test_what_is_written_while_its_webhook_is_switched_off_waits_for_nobody(database: Connection, database_url: str):
    webhook_id, _ = make_webhook(database, "https://a.test/")
    with psycopg.connect(database_url, autocommit=True) as other, ThreadPoolExecutor(1) as looking:
        with other.transaction():
            update_webhook(other, 1, webhook_id, name="ops", kinds=ALL_KINDS, is_enabled=False)
            give_up_deliveries(other, webhook_id, answer="off")
            written_meanwhile = looking.submit(write_news, database)
            wait_until(lambda: written_meanwhile.done() or is_anybody_waiting(other), 30)
        assert written_meanwhile.result(30)
    assert deliveries(database) == []


def is_anybody_waiting(connection: Connection) -> bool:
    (waiting,) = connection.execute("SELECT count(*) FROM pg_locks WHERE NOT granted").fetchone() or (0,)
    return bool(waiting)


def test_upkeep_deletes_old_deliveries_and_old_news(database, clock):
    make_webhook(database, "https://a.test/")
    for period in ("new", "month", "pending", "year"):
        write_news(database, period)
    database.execute("UPDATE deliveries SET state = 'delivered' WHERE id <> 3")
    database.execute("UPDATE deliveries SET created_at = now() - interval '31 days' WHERE id > 1")
    database.execute("UPDATE news SET created_at = now() - interval '401 days' WHERE period = 'year'")
    maintain(database, clock.now(), retention_days=90)
    assert [each.delivery_id for each in deliveries(database)] == [1, 3]
    assert [period for _, _, period in written(database)] == ["new", "month", "pending"]


def test_a_receiver_of_tls_is_reached_by_the_whole_way(database, pool, tmp_path):
    server, certificate = tls_of("receiver.test", tmp_path)
    tls = ssl.create_default_context(cafile=certificate)
    with open_receiver(server) as receiver:
        make_webhook(database, receiver.url.replace("127.0.0.1", "receiver.test"))
        write_news(database)
        send = functools.partial(post, rules=LENIENT, tls=tls, resolve=lambda *_: ["127.0.0.1"])
        assert deliver_next(pool, courier(send))
    assert deliveries(database)[0].state == "delivered"

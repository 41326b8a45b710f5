"""Who may attempt what: one worker at a webhook at a time, whatever else waits for it."""

import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import psycopg

from app.core.database import Connection
from app.core.queries.deliveries import claim_delivery
from tests.news import courier, make_webhook, write_news
from worker.news.delivery import LEASE, deliver_next
from worker.news.post import Answer


def test_while_one_claims_a_webhooks_delivery_no_other_of_it_is_claimed(database: Connection, database_url: str, clock):
    first, _ = make_webhook(database, "https://a.test/")
    second, _ = make_webhook(database, "https://b.test/")
    for period in ("1", "2"):
        write_news(database, period)
    with psycopg.connect(database_url) as other:
        # not committed yet
        claimed = claim_delivery(other, clock.now(), lease=LEASE)
        found = [claim_delivery(database, clock.now(), lease=LEASE) for _ in range(2)]
        assert claimed is not None
        assert {claimed.webhook_id, *(each.webhook_id for each in found if each)} == {first, second}
        assert found[1] is None


def test_many_workers_are_never_two_at_one_webhook(database: Connection, pool):
    for number in range(2):
        make_webhook(database, f"https://receiver-{number}.test/")
    for period in range(60):
        write_news(database, str(period))
    lock, now_at, most, sent = threading.Lock(), Counter[str](), Counter[str](), Counter[str]()

    def send(address: str, _body: bytes, _headers: dict[str, str]) -> Answer:
        with lock:
            now_at[address] += 1
            sent[address] += 1
            most[address] = max(most[address], now_at[address])
        with pool.connection() as connection:
            connection.execute("SELECT count(*) FROM deliveries")
        with lock:
            now_at[address] -= 1
        return Answer(200, "")

    def work(_number: int) -> None:
        while sent.total() < 120:
            deliver_next(pool, courier(send))

    with ThreadPoolExecutor(6) as workers:
        list(workers.map(work, range(6)))
    assert set(most.values()) == {1}

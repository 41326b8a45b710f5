"""Deliveries: signed, once if the receiver takes it, again if not, never by two at once, and after a kill again."""

import functools
import ssl
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from app.core.database import ConnectionPool
from app.core.news.webhooks import GONE, replace_secret
from app.core.queries.audit_log import COMMAND_LINE
from app.core.queries.deliveries import restart_delivery
from app.core.queries.webhooks import update_webhook_address
from tests.news import KEY, LENIENT, Delivery, answering, courier, deliveries, make_webhook, run_for, write_news
from tests.receivers import Receiver, is_genuine
from worker.news.delivery import LEASE, deliver_next
from worker.news.post import Answer, post


class Killed(BaseException):
    """Stands for a kill: nothing of the attempt goes on."""


def test_it_is_signed_with_the_webhooks_secret_and_says_what_happened(database, pool, receiver: Receiver):
    _, secret = make_webhook(database, receiver.url)
    write_news(database)
    send = functools.partial(post, rules=LENIENT, tls=ssl.create_default_context())
    assert deliver_next(pool, courier(send, public_url="https://a.example"))
    (got,) = receiver.received
    assert is_genuine(secret, got.headers, got.body)
    assert got.headers["content-type"] == "application/json"
    assert got.message["id"] == got.headers["webhook-id"]
    assert got.message["type"] == "silence"
    assert got.message["project"] == {"id": 1, "name": "shop"}
    assert "no event for 60 minutes" in got.message["text"]
    assert got.message["url"] == "https://a.example/dashboard?project=1"
    assert not deliver_next(pool, courier(send)), "nothing is left to do"
    (kept,) = deliveries(database)
    assert (kept.state, kept.attempts, kept.status) == ("delivered", 1, 204)


def test_after_a_new_secret_both_sign_for_a_day(database, pool, clock):
    webhook_id, old = make_webhook(database, "https://receiver.test/")
    new = replace_secret(database, KEY, 1, webhook_id, by=COMMAND_LINE, now=clock.now()).secret
    sent: list[tuple[bytes, dict[str, str]]] = []

    def send(_address: str, body: bytes, headers: dict[str, str]) -> Answer:
        sent.append((body, headers))
        return Answer(200, "")

    for period in ("1", "2"):
        write_news(database, period)
        assert deliver_next(pool, courier(send), clock.now)
        assert len(sent[-1][1]["webhook-signature"].split()) == (2 if period == "1" else 1)
        clock.seconds += 86_401
    assert is_genuine(new, sent[0][1], sent[0][0])
    assert is_genuine(old, sent[0][1], sent[0][0])


def test_a_failure_is_tried_again_with_the_same_id_for_a_day_and_then_given_up(database, pool, clock):
    make_webhook(database, "https://receiver.test/")
    write_news(database)
    send, ids = answering(Answer(500, "broken"))
    run_for(pool, send, clock, timedelta(hours=23))
    (waiting,) = deliveries(database)
    assert (waiting.state, waiting.status, waiting.answer) == ("pending", 500, "broken")
    run_for(pool, send, clock, timedelta(hours=2))
    (given_up,) = deliveries(database)
    assert (given_up.state, given_up.attempts) == ("given_up", len(ids))
    assert len(ids) >= 10
    assert len(set(ids)) == 1
    run_for(pool, send, clock, timedelta(hours=1))
    assert given_up.attempts == len(ids), "it is over"


def test_a_receiver_that_is_busy_is_left_alone_for_as_long_as_it_asks(database, pool, clock, receiver: Receiver):
    make_webhook(database, receiver.url)
    write_news(database)
    receiver.status, receiver.headers = 429, {"Retry-After": "1800"}
    send = functools.partial(post, rules=LENIENT, tls=ssl.create_default_context())
    assert deliver_next(pool, courier(send), clock.now)
    (kept,) = deliveries(database)
    assert kept.state == "pending"
    assert abs(kept.next_attempt_at - clock.now() - timedelta(minutes=30)) < timedelta(seconds=1)


def test_a_webhook_whose_receiver_is_gone_is_switched_off(database, pool, clock):
    make_webhook(database, "https://receiver.test/")
    other, _ = make_webhook(database, "https://another.test/", name="another")
    for period in ("1", "2"):
        write_news(database, period)

    def be_gone(address: str, _body: bytes, _headers: dict[str, str]) -> Answer:
        return Answer(410, "gone") if "receiver" in address else Answer(200, "")

    run_for(pool, be_gone, clock, timedelta(hours=1))
    found = {(each.state, each.attempts, each.answer) for each in deliveries(database)}
    assert found == {("given_up", 1, "gone"), ("given_up", 0, GONE), ("delivered", 1, "")}
    assert database.execute("SELECT id FROM webhooks WHERE is_enabled").fetchall() == [(other,)]
    assert database.execute("SELECT subject FROM audit_log WHERE actor = 'receiver'").fetchall() == [("ops",)]


def test_a_receiver_that_is_gone_does_not_end_a_webhook_with_a_new_address(database, pool, clock):
    webhook_id, _ = make_webhook(database, "https://receiver.test/")
    write_news(database)

    def move(_address: str, _body: bytes, _headers: dict[str, str]) -> Answer:
        update_webhook_address(database, 1, webhook_id, host="new.test", sealed_address=b"new")
        return Answer(410, "gone")

    assert deliver_next(pool, courier(move), clock.now)
    assert database.execute("SELECT is_enabled FROM webhooks").fetchall() == [(True,)]


def test_it_ends_with_the_first_good_answer(database, pool, clock):
    make_webhook(database, "https://receiver.test/")
    write_news(database)
    send, ids = answering(Answer(None, "No answer in time."), Answer(302, "elsewhere"), Answer(200, "ok"))
    run_for(pool, send, clock, timedelta(hours=1))
    (kept,) = deliveries(database)
    assert (kept.state, kept.attempts, kept.status, kept.answer, len(ids)) == ("delivered", 3, 200, "ok", 3)


def test_one_that_was_given_up_can_be_sent_again_for_another_day(database, pool, clock):
    webhook_id, _ = make_webhook(database, "https://receiver.test/")
    write_news(database)
    send, ids = answering(Answer(500, ""))
    run_for(pool, send, clock, timedelta(hours=25))
    assert restart_delivery(database, deliveries(database)[0].delivery_id, webhook_id=webhook_id, now=clock.now())
    before = len(ids)
    run_for(pool, send, clock, timedelta(hours=23))
    assert deliveries(database)[0].state == "pending"
    assert len(ids) > before + 5
    assert len(set(ids)) == 1


def test_a_kill_between_the_answer_and_the_commit_sends_it_again_with_the_same_id(database, pool, clock):
    make_webhook(database, "https://receiver.test/")
    write_news(database)
    took: list[str] = []

    def take_and_die(_address: str, _body: bytes, headers: dict[str, str]) -> Answer:
        took.append(headers["webhook-id"])
        raise Killed

    with pytest.raises(Killed):
        deliver_next(pool, courier(take_and_die), clock.now)
    send, ids = answering(Answer(200, ""))
    assert not deliver_next(pool, courier(send), clock.now), "it is leased to the one that died"
    clock.seconds += LEASE.total_seconds() + 1
    assert deliver_next(pool, courier(send), clock.now)
    assert ids == took
    assert deliveries(database)[0].state == "delivered"


def test_who_comes_back_after_the_lease_is_over_changes_nothing(database, pool, clock):
    make_webhook(database, "https://receiver.test/")
    write_news(database)
    good, _ = answering(Answer(200, "taken by the second"))

    def be_late(_address: str, _body: bytes, _headers: dict[str, str]) -> Answer:
        clock.seconds += LEASE.total_seconds() + 1
        assert deliver_next(pool, courier(good), clock.now)
        return Answer(500, "the first, much too late")

    assert deliver_next(pool, courier(be_late), clock.now)
    (kept,) = deliveries(database)
    assert (kept.state, kept.answer) == ("delivered", "taken by the second")


def test_many_workers_send_each_delivery_once(database, pool):
    for number in range(4):
        make_webhook(database, f"https://receiver-{number}.test/")
    for period in range(10):
        write_news(database, str(period))
    lock, sent = threading.Lock(), []

    def send(address: str, _body: bytes, headers: dict[str, str]) -> Answer:
        with lock:
            sent.append((address, headers["webhook-id"]))
        return Answer(200, "")

    def work(_number: int) -> None:
        while any(each.state == "pending" for each in deliveries_of(pool)):
            deliver_next(pool, courier(send))

    with ThreadPoolExecutor(4) as workers:
        list(workers.map(work, range(4)))
    assert len(sent) == len(set(sent)) == 40
    assert {each.attempts for each in deliveries(database)} == {1}


def deliveries_of(pool: ConnectionPool) -> Sequence[Delivery]:
    with pool.connection() as connection:
        return deliveries(connection)


def test_a_webhook_that_hangs_holds_up_no_other(database, pool, clock):
    for number in range(2):
        make_webhook(database, f"https://receiver-{number}.test/")
    for period in ("1", "2", "3"):
        write_news(database, period)
    good, ids = answering(Answer(200, ""))
    addresses: list[str] = []

    def note(address: str, body: bytes, headers: dict[str, str]) -> Answer:
        addresses.append(address)
        return good(address, body, headers)

    def hang(address: str, _body: bytes, _headers: dict[str, str]) -> Answer:
        while deliver_next(pool, courier(note), clock.now):
            pass
        assert address not in addresses, "the others of the one that hangs wait"
        assert len(ids) == 3
        return Answer(None, "No answer in time.")

    assert deliver_next(pool, courier(hang), clock.now)

"""Attempts that end as nobody foresaw: on the schedule of all that fail, and told as failed in the end."""

from datetime import timedelta

import pytest

from app.core.errors import DatabaseUnavailable
from tests.news import answering, courier, deliveries, make_webhook, run_for, write_news
from worker.news.delivery import LEASE, UNFORESEEN, deliver_next
from worker.news.post import Answer

UNSTORABLE = Answer(200, "\0\ud800")
FAR_ZONE = Answer(503, "busy", retry_after="Fri, 27 Nov 2026 00:00:00 +9999999999999")


class Killed(BaseException):
    """Stands for a kill: nothing of the attempt goes on."""


def raise_it(_address: str, _body: bytes, _headers: dict[str, str]) -> Answer:
    raise ZeroDivisionError


@pytest.mark.parametrize("send", [raise_it, answering(UNSTORABLE)[0]])
def test_what_nobody_foresaw_follows_the_schedule_and_is_told_as_failed(database, pool, clock, send):
    make_webhook(database, "https://receiver.test/")
    write_news(database)
    run_for(pool, send, clock, timedelta(hours=23))
    (waiting,) = deliveries(database)
    assert (waiting.state, waiting.status, waiting.answer) == ("pending", None, UNFORESEEN.text)
    assert waiting.attempts < 20
    run_for(pool, send, clock, timedelta(hours=2))
    (given_up,) = deliveries(database)
    assert (given_up.state, given_up.answer) == ("given_up", UNFORESEEN.text)


def test_a_pause_that_no_calendar_has_is_none(database, pool, clock):
    make_webhook(database, "https://receiver.test/")
    write_news(database)
    assert deliver_next(pool, courier(answering(FAR_ZONE)[0]), clock.now)
    (kept,) = deliveries(database)
    assert (kept.state, kept.status, kept.answer) == ("pending", 503, "busy")


def test_it_holds_up_no_other_of_its_webhook(database, pool, clock):
    make_webhook(database, "https://receiver.test/")
    for period in ("1", "2"):
        write_news(database, period)
    seen: list[str] = []

    def stumble_over_the_first(_address: str, _body: bytes, headers: dict[str, str]) -> Answer:
        seen.append(headers["webhook-id"])
        if seen[0] == headers["webhook-id"]:
            raise ZeroDivisionError
        return Answer(200, "")

    run_for(pool, stumble_over_the_first, clock, timedelta(minutes=1))
    assert [each.state for each in deliveries(database)] == ["pending", "delivered"]


def test_while_postgresql_is_away_nothing_counts_as_unforeseen(database, pool, clock):
    make_webhook(database, "https://receiver.test/")
    write_news(database)

    def lose_it(_address: str, _body: bytes, _headers: dict[str, str]) -> Answer:
        raise DatabaseUnavailable("away")

    with pytest.raises(DatabaseUnavailable):
        deliver_next(pool, courier(lose_it), clock.now)
    assert deliveries(database)[0].answer is None


def test_one_that_kills_every_worker_is_given_up_too(database, pool, clock):
    make_webhook(database, "https://receiver.test/")
    write_news(database)

    def kill(_address: str, _body: bytes, _headers: dict[str, str]) -> Answer:
        raise Killed

    def attempt() -> None:
        with pytest.raises(Killed):
            deliver_next(pool, courier(kill), clock.now)
        clock.seconds += LEASE.total_seconds() + 1

    attempt()
    clock.seconds += timedelta(hours=24).total_seconds()
    attempt()
    assert deliver_next(pool, courier(kill), clock.now), "the last attempt has been made"
    (given_up,) = deliveries(database)
    assert given_up.state == "given_up"
    assert given_up.answer is not None
    assert "did not end" in given_up.answer

"""What a look finds: budgets that are reached, dead letters, and what the comparison of versions says; each once."""

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import UUID

import psycopg
import pytest

from app.core.database import Connection, connection_from
from app.core.errors import DatabaseUnavailable, RedisUnavailable
from app.core.news.findings import version_news
from app.core.news.limits import set_budget
from app.core.queries.audit_log import COMMAND_LINE
from app.core.queries.looks import LETTERS_PAUSE, LETTERS_SETTLE, FreshPrompt
from app.core.queries.news import News, NewsKind
from tests.news import deliveries, make_webhook, written
from tests.stored_events import PROMPT, an_event, store_events
from worker.news.looks import Looking, look_at_budgets, look_at_dead_letters, look_for_news

NOW = datetime.now(UTC)
OTHER_PROMPT = UUID(int=7)
INSERT_LETTER = """
INSERT INTO dead_letters (entry_id, payload, reason, received_at, project_id, failed_at)
VALUES (gen_random_uuid()::text, '', %s, now(), %s, %s)
"""


def nothing_waits() -> timedelta:
    return timedelta(0)


def no_verdicts(_connection: Connection, _prompt: FreshPrompt, _now: datetime) -> Sequence[News]:
    return []


def spend(database_url: str, cost_usd: str, *, prompt: UUID = PROMPT, age: timedelta = timedelta(0)) -> None:
    store_events(database_url, [an_event(1, age, prompt=prompt, cost_usd=cost_usd)])


def budget(database: Connection, amount: str | None, prompt: UUID | None = None) -> None:
    set_budget(database, 1, prompt, None if amount is None else Decimal(amount), by=COMMAND_LINE)


def told(database: Connection) -> list[tuple[object, ...]]:
    return database.execute(
        "SELECT subject, payload ->> 'percent', payload ->> 'spent_usd' FROM news ORDER BY id"
    ).fetchall()


def test_each_threshold_of_a_budget_is_told_once(database: Connection, database_url: str):
    make_webhook(database, "https://a.test/", kinds=["budget"])
    budget(database, "10")
    for cost_usd, expected in (("4.9999999", 0), ("0.0000001", 1), ("2.5", 1), ("0.5", 2), ("5", 3), ("100", 3)):
        spend(database_url, cost_usd)
        look_at_budgets(database, NOW)
        look_at_budgets(database, NOW)
        assert len(written(database)) == expected, cost_usd
    assert told(database) == [("project", "50", "5.0"), ("project", "80", "8.0"), ("project", "100", "13.0")]
    assert len(deliveries(database)) == 3


def test_a_prompts_budget_counts_its_own_costs_beside_the_projects(database: Connection, database_url: str):
    spend(database_url, "6")
    spend(database_url, "6", prompt=OTHER_PROMPT)
    budget(database, "24")
    budget(database, "12", PROMPT)
    look_at_budgets(database, NOW)
    assert told(database) == [("project", "50", "12.0"), (str(PROMPT), "50", "6.0")]


def test_a_budget_that_is_changed_is_told_anew_and_one_that_is_gone_is_not(database: Connection, database_url: str):
    spend(database_url, "9")
    budget(database, "10")
    look_at_budgets(database, NOW)
    budget(database, "18")
    look_at_budgets(database, NOW)
    budget(database, "10.00")
    look_at_budgets(database, NOW)
    budget(database, None)
    spend(database_url, "9")
    look_at_budgets(database, NOW)
    assert [percent for _, percent, _ in told(database)] == ["50", "80", "50"]


def test_a_month_is_over_when_its_last_day_is_and_told_for_a_day_more(database: Connection, database_url: str):
    first = NOW.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    budget(database, "10")
    spend(database_url, "10", age=datetime.now(UTC) - first + timedelta(seconds=1))
    look_at_budgets(database, first + timedelta(hours=25))
    assert written(database) == []
    look_at_budgets(database, first + timedelta(hours=23))
    look_at_budgets(database, first + timedelta(hours=23))
    last_month = f"{first - timedelta(days=1):%Y-%m}"
    assert [period for _, _, period in written(database)] == [f"{last_month}: {p} % of 10" for p in (50, 80, 100)]


def test_two_workers_tell_each_threshold_once(database: Connection, database_url: str, pool):
    make_webhook(database, "https://a.test/")
    budget(database, "10")
    budget(database, "10", None)
    spend(database_url, "10")
    together = threading.Barrier(4)

    def work(_number: int) -> None:
        # past the lock on purpose: what holds is the natural key
        with connection_from(pool) as connection:
            together.wait()
            look_at_budgets(connection, NOW)

    with ThreadPoolExecutor(4) as workers:
        list(workers.map(work, range(4)))
    assert len(written(database)) == len(deliveries(database)) == 3


def test_only_one_worker_looks_at_a_time(database: Connection, database_url: str):
    entered, leave = threading.Event(), threading.Event()

    def linger() -> timedelta:
        entered.set()
        leave.wait(30)
        return timedelta(0)

    def look_slowly() -> bool:
        with psycopg.connect(database_url, autocommit=True) as connection:
            return look_for_news(connection, Looking(linger, no_verdicts), NOW, since=NOW)

    with ThreadPoolExecutor(1) as other:
        slow = other.submit(look_slowly)
        assert entered.wait(30)
        assert not look_for_news(database, Looking(nothing_waits, no_verdicts), NOW, since=NOW)
        leave.set()
        assert slow.result()
    assert look_for_news(database, Looking(nothing_waits, no_verdicts), NOW, since=NOW)


def set_aside(database: Connection, reason: str, at: datetime, project_id: int | None = 1) -> None:
    database.execute(INSERT_LETTER, [reason, project_id, at])


def letters(database: Connection) -> list[tuple[object, ...]]:
    rows = database.execute("SELECT payload ->> 'letters', payload -> 'reasons' FROM news ORDER BY id").fetchall()
    return list(rows)


def test_dead_letters_are_told_at_once_and_then_those_of_an_hour_together(database: Connection):
    set_aside(database, "broken", NOW)
    set_aside(database, "of nobody", NOW, None)
    set_aside(database, "of a project that is gone", NOW, 99)
    look_at_dead_letters(database, NOW)
    assert letters(database) == [], "it may not be the first to be committed"
    now = NOW + LETTERS_SETTLE
    look_at_dead_letters(database, now)
    for reason in ("broken", "rejected", "rejected"):
        set_aside(database, reason, now)
    for minutes in (1, 30):
        look_at_dead_letters(database, now + timedelta(minutes=minutes))
    assert letters(database) == [("1", ["broken"])]
    database.execute("UPDATE news SET created_at = %s", [now - LETTERS_PAUSE])
    for minutes in (1, 2):
        look_at_dead_letters(database, now + timedelta(minutes=minutes))
    assert letters(database) == [("1", ["broken"]), ("3", ["rejected", "broken"])]


def verdict(prompt: FreshPrompt, candidate: str) -> News:
    return version_news(
        NewsKind.VERSION_WORSE,
        project_id=prompt.project_id,
        prompt_id=prompt.prompt_id,
        prompt_name=prompt.name,
        baseline=("v1", None),
        candidate=(candidate, None),
        compared="side_by_side",
        decision="worse",
        changes=[],
    )


def test_prompts_with_new_events_are_compared_and_each_verdict_is_told_once(database: Connection, database_url: str):
    spend(database_url, "1")
    spend(database_url, "1", prompt=OTHER_PROMPT, age=timedelta(hours=2))
    asked: list[UUID] = []

    def find(_connection: Connection, prompt: FreshPrompt, now: datetime) -> Sequence[News]:
        assert now == NOW
        asked.append(prompt.prompt_id)
        return [verdict(prompt, "v2"), verdict(prompt, "v3")]

    for _ in range(2):
        assert look_for_news(database, Looking(nothing_waits, find), NOW, since=NOW)
    assert asked == [PROMPT, PROMPT]
    assert len(written(database)) == 2
    assert look_for_news(database, Looking(nothing_waits, find), NOW, since=NOW, should_stop=lambda: True)
    assert asked == [PROMPT, PROMPT], "who is asked to stop compares nothing more"


@pytest.mark.parametrize("error", [DatabaseUnavailable("too much to do"), ZeroDivisionError()])
def test_what_one_look_cannot_do_keeps_no_other_from_being_done(
    database: Connection, database_url: str, error: Exception
):
    for prompt in (PROMPT, OTHER_PROMPT):
        spend(database_url, "1", prompt=prompt)

    def gone() -> timedelta:
        raise RedisUnavailable("away")

    def find(_connection: Connection, prompt: FreshPrompt, _now: datetime) -> Sequence[News]:
        if prompt.prompt_id == PROMPT:
            raise error
        return [verdict(prompt, "v2")]

    assert look_for_news(database, Looking(gone, find), NOW, since=NOW)
    assert [kind for _, kind, _ in written(database)] == ["version_worse"]


def test_news_goes_with_the_transaction_that_found_it(database: Connection, database_url: str):
    spend(database_url, "1")

    def find(connection: Connection, prompt: FreshPrompt, _now: datetime) -> Sequence[News]:
        connection.execute("UPDATE prompts SET name = 'found' WHERE id = %s", [prompt.prompt_key])
        return [verdict(prompt, "v2"), verdict(prompt, "\0")]

    database.execute(
        "ALTER TABLE news ADD CONSTRAINT none CHECK (payload -> 'candidate' ->> 'version_hash' = 'v2') NOT VALID"
    )
    try:
        look_for_news(database, Looking(nothing_waits, find), NOW, since=NOW)
    finally:
        database.execute("ALTER TABLE news DROP CONSTRAINT none")
    assert written(database) == []
    assert database.execute("SELECT name FROM prompts").fetchall() == [(None,)]


@pytest.mark.parametrize("amount", ["0.01", "999999999999"])
def test_budgets_may_be_small_and_large(database: Connection, database_url: str, amount: str):
    budget(database, amount)
    spend(database_url, amount)
    look_at_budgets(database, NOW)
    assert len(written(database)) == 3

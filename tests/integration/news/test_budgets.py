"""What looks find of budgets: each threshold that is reached once, and never of a month that was over before."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import UUID

import pytest

from app.core.database import Connection, connection_from
from app.core.news.limits import set_budget
from app.core.queries.audit_log import COMMAND_LINE
from tests.news import deliveries, make_webhook, written
from tests.stored_events import PROMPT, an_event, store_events
from worker.news.looks import look_at_budgets

NOW = datetime.now(UTC)
FIRST = NOW.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
LAST_MONTH = f"{FIRST - timedelta(days=1):%Y-%m}"
OTHER_PROMPT = UUID(int=7)
SET_AT = "UPDATE budgets SET changed_at = %s"


def spend(database_url: str, cost_usd: str, *, prompt: UUID = PROMPT, age: timedelta = timedelta(0)) -> None:
    store_events(database_url, [an_event(1, age, prompt=prompt, cost_usd=cost_usd)])


def spend_last_month(database_url: str, cost_usd: str) -> None:
    spend(database_url, cost_usd, age=datetime.now(UTC) - FIRST + timedelta(seconds=1))


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
    budget(database, "10")
    database.execute(SET_AT, [FIRST - timedelta(seconds=1)])
    spend_last_month(database_url, "10")
    look_at_budgets(database, FIRST + timedelta(hours=25))
    assert written(database) == []
    look_at_budgets(database, FIRST + timedelta(hours=23))
    look_at_budgets(database, FIRST + timedelta(hours=23))
    assert [period for _, _, period in written(database)] == [f"{LAST_MONTH}: {p} % of 10" for p in (50, 80, 100)]


def test_a_budget_says_nothing_of_a_month_that_ended_before_it_was_set(database: Connection, database_url: str):
    spend_last_month(database_url, "10")
    spend(database_url, "6")
    budget(database, "10")
    look_at_budgets(database, NOW)
    database.execute(SET_AT, [FIRST])
    look_at_budgets(database, FIRST + timedelta(hours=23))
    assert [period for _, _, period in written(database)] == [f"{NOW:%Y-%m}: 50 % of 10"]


def test_a_new_amount_says_nothing_of_a_month_that_ended_before_and_the_same_one_again_is_no_change(
    database: Connection, database_url: str
):
    budget(database, "10")
    database.execute(SET_AT, [FIRST - timedelta(days=3)])
    spend_last_month(database_url, "5")
    look_at_budgets(database, FIRST)
    budget(database, "10.00")
    spend_last_month(database_url, "3")
    look_at_budgets(database, FIRST + timedelta(hours=1))
    budget(database, "5")
    look_at_budgets(database, FIRST + timedelta(hours=2))
    assert [period for _, _, period in written(database)] == [f"{LAST_MONTH}: {p} % of 10" for p in (50, 80)]


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


@pytest.mark.parametrize("amount", ["0.01", "999999999999"])
def test_budgets_may_be_small_and_large(database: Connection, database_url: str, amount: str):
    budget(database, amount)
    spend(database_url, amount)
    look_at_budgets(database, NOW)
    assert len(written(database)) == 3

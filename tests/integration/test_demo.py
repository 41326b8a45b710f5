"""`demo`, through the real API into the real database."""

from decimal import Decimal

import pytest

from app.demo.story import PROMPTS
from tests.commands import Run, Succeed, fails_with_one_line, select
from tests.sign_in import add_member, create_project, create_user
from tests.stand_in import StandIn
from tests.waiting import wait_until

FEW = ("demo", "--events", "600", "--days", "2")
NUMBERS = "SELECT count(*), sum(cost_usd), sum(latency_ms), sum(score) FROM events"
BUDGETS = "SELECT prompt_key > 0, usd_per_month FROM budgets ORDER BY prompt_key"
REACHED = """
SELECT count(*)
FROM budgets
CROSS JOIN LATERAL (
    SELECT sum(cost_usd) AS usd
    FROM events
    JOIN prompt_versions ON prompt_versions.id = version_key
    WHERE project_id = budgets.project_id AND budgets.prompt_key IN (0, prompt_versions.prompt_key)
      AND occurred_at >= date_trunc('month', now(), 'UTC')
) AS spent
JOIN unnest(ARRAY[50, 80, 100]) AS threshold (percent) ON spent.usd * 100 >= budgets.usd_per_month * percent
"""
TOLD = "SELECT count(*) FROM news WHERE kind = 'budget'"
NAMES = "SELECT DISTINCT name FROM prompts"


@pytest.fixture
def fill(succeed: Succeed, web: str, start, database_url: str):
    """Fills a project through the real service; returns what the command says."""
    start("worker")
    return lambda *options: succeed(*FEW, "--url", web, *options)


def test_it_fills_a_project_and_says_where_to_look(fill, web: str, database_url: str):
    assert f"events of 10 prompts are in the project shop: {web}/dashboard" in fill("--project", "shop")
    assert select(database_url, "SELECT name FROM projects") == [("shop",)]
    ((events, cost_usd, latency_ms, score),) = select(database_url, NUMBERS)
    assert 300 < int(str(events)) < 900
    assert None not in (cost_usd, latency_ms, score)
    assert select(database_url, "SELECT count(*) FROM dead_letters") == [(0,)]


def test_a_repeat_stores_nothing_twice(fill, database_url: str):
    fill()
    stored = select(database_url, NUMBERS + " WHERE occurred_at < now() - interval '1 hour'")
    fill()
    assert select(database_url, NUMBERS + " WHERE occurred_at < now() - interval '1 hour'") == stored


def test_prompts_and_versions_have_readable_names_but_keep_those_that_somebody_gave(fill, run: Run, database_url: str):
    fill()
    assert {name for (name,) in select(database_url, NAMES)} <= {prompt.name for prompt in PROMPTS}
    assert select(database_url, "SELECT count(*) FROM prompt_versions WHERE name IS NULL") == [(0,)]
    select(database_url, "UPDATE prompts SET name = 'mine' RETURNING id")
    fill()
    assert select(database_url, NAMES) == [("mine",)]


def test_it_sets_budgets_where_there_are_none_and_the_worker_tells_what_is_reached(fill, database_url: str):
    assert "/dashboard/news" in fill()
    ((_, of_project), (is_of_prompt, of_prompt)) = select(database_url, BUDGETS)
    assert is_of_prompt
    assert Decimal(str(of_project)) > Decimal(str(of_prompt)) > 0
    # within the first days of a month nothing is reached yet
    wait_until(lambda: select(database_url, TOLD) == select(database_url, REACHED), 60)
    select(database_url, "UPDATE budgets SET usd_per_month = 7 RETURNING 1")
    fill()
    assert {amount for _, amount in select(database_url, BUDGETS)} == {7}


def test_its_project_is_named_by_the_rule_for_all_names(run: Run):
    for name in (" ", "a\tb", "n" * 201):
        refused = run("demo", "--project", name)
        assert refused.exit_code == 2
        assert "must have 1 to 200 printable characters" in refused.stderr


def test_operators_are_let_into_a_project_that_nobody_could_look_at_otherwise(fill, database_url: str):
    operator = create_user(database_url, "operator@example.com", is_operator=True)
    somebody = create_user(database_url, "somebody@example.com")
    add_member(database_url, create_project(database_url, "theirs"), somebody, "admin")
    fill("--project", "theirs")
    fill("--project", "nobody's")
    query = "SELECT name, user_id, role FROM memberships JOIN projects ON projects.id = project_id ORDER BY project_id"
    assert select(database_url, query) == [("theirs", somebody, "admin"), ("nobody's", operator, "admin")]


def test_its_key_may_only_ingest_and_is_revoked_at_the_end(fill, database_url: str):
    fill()
    keys = select(database_url, "SELECT scopes, revoked_at IS NOT NULL FROM api_keys")
    assert keys == [(["ingest"], True)]


def test_a_service_that_refuses_gives_one_line_and_the_key_is_revoked(run: Run, database_url: str):
    with StandIn([(401, None)] * 1_000).running() as service:
        finished = run(*FEW, "--url", service.url)
    assert "does --url lead to the right one?" in fails_with_one_line(finished)
    assert select(database_url, "SELECT revoked_at IS NOT NULL FROM api_keys") == [(True,)]


@pytest.mark.parametrize("url", ["127.0.0.1:8000", "ftp://host", "http://", "http://host/path"])
def test_it_refuses_what_is_no_address_of_a_service(run: Run, database_url: str, url: str):
    finished = run(*FEW, "--url", url)
    assert finished.exit_code == 2
    assert select(database_url, "SELECT count(*) FROM projects") == [(0,)]

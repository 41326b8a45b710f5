"""Nobody folds what is stored: it is told, the entry leads out of it, and no number is wrong meanwhile."""

import re
from collections.abc import Callable

import psycopg
from flask.testing import FlaskClient

from tests.conftest import StartProcess
from tests.runbook_entries import Operator
from tests.sign_in import create_project
from tests.stored_events import an_event, store_events
from tests.waiting import wait_until


def metric(client: FlaskClient, name: str) -> float:
    found = re.search(rf"^prompt_analytics_{name} (\S+)$", client.get("/metrics").text, re.MULTILINE)
    assert found
    return float(found[1])


def test_what_is_stored_is_not_folded(
    operator: Operator, client: FlaskClient, is_ready: Callable[[], bool], start: StartProcess, database_url: str
) -> None:
    store_events(database_url, [an_event(create_project(database_url, "demo"), cost_usd="2")])
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("UPDATE rollup_additions SET added_at = now() - interval '20 minutes'")
        assert metric(client, "oldest_unfolded_age_seconds") > 600
        assert metric(client, "unfolded_rows") == 1
        assert is_ready()

        def start_worker() -> None:
            start("worker")
            wait_until(lambda: connection.execute("SELECT count(*) FROM rollup_additions").fetchone() == (0,), 40)

        printed = operator.follow("unfolded", after={1: start_worker})
        assert re.search(r"demo +\| +1 \|", printed[0])
        assert re.search(r"^ +0 \|", printed[1], re.MULTILINE)
        wait_until(lambda: metric(client, "unfolded_rows") == metric(client, "oldest_unfolded_age_seconds") == 0)
        assert connection.execute("SELECT cost_usd_sum FROM analytics.prompts_daily").fetchone() == (2,)

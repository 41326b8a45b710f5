"""What pages, the read API and /metrics show of a client that sends more new ids than are registered."""

import re
from datetime import UTC, datetime, timedelta
from uuid import UUID

import httpx
import pytest
import redis

from app.core.contract import OTHER_PROMPT, OTHER_VERSION
from app.core.database import connect
from app.core.operations import metrics
from app.core.operations.tallies import EVENTS_BY_KEY, add_counts, five_minutes_of
from tests.api_keys import create_key
from tests.databases import kept_connection
from tests.sign_in import page_of, signed_in_client
from tests.stored_events import PROMPT, an_event
from tests.system_page import text
from worker.known_versions import NewPerDay
from worker.store import EventStore, ReceivedEvent

API = "/api/v1/prompts/analytics"
PAGE = f"/dashboard/prompts/{PROMPT}"
OF_OTHER = f"/dashboard/prompts/{OTHER_PROMPT}"
TWO = NewPerDay(versions_of_prompt=2, prompts_of_project=2)
OF_VERSIONS = (
    f"Prompt {PROMPT} sent more than 2 new version hashes today; the rest is counted under (other). "
    "A time stamp or a random number in version_hash does this."
)
OF_PROMPTS = (
    "More than 2 new prompt ids came today; events with further ones are counted under the prompt (other). "
    "A time stamp or a random number in prompt_id does this."
)

pytestmark = pytest.mark.usefixtures("clean_redis")


def store(database_url: str, events: list[ReceivedEvent]) -> None:
    with connect(database_url, application_name="test", statement_timeout_ms=20_000) as connection:
        assert EventStore(TWO).store(connection, events).new == len(events)


def wrong_events(project_id: int) -> list[ReceivedEvent]:
    """Six versions of a prompt, of which two are registered, and four prompts, of which one more is."""
    versions = [an_event(project_id, version=f"v{number}", latency_ms="5", cost_usd="0.1") for number in range(6)]
    return versions + [an_event(project_id, prompt=UUID(int=number), cost_usd="0.2") for number in range(1, 5)]


@pytest.fixture
def wrong_client(database_url: str, project_id: int) -> None:
    store(database_url, wrong_events(project_id))


@pytest.mark.usefixtures("wrong_client")
def test_the_pages_say_which_prompt_and_which_project_it_is(member: httpx.Client):
    dashboard = text(member.get("/dashboard", params={"project": "1"}))
    assert OF_VERSIONS in dashboard
    assert OF_PROMPTS in dashboard
    assert 'href="/docs/runbook#counted_under_other"' in page_of(member, "/dashboard")
    of_prompt, of_other = (text(member.get(page, params={"project": "1"})) for page in (PAGE, OF_OTHER))
    assert (OF_VERSIONS in of_prompt, OF_PROMPTS in of_prompt) == (True, False)
    assert (OF_VERSIONS in of_other, OF_PROMPTS in of_other) == (False, True)
    assert "than 2 new" not in text(member.get(f"/dashboard/prompts/{UUID(int=1)}", params={"project": "1"}))


@pytest.mark.usefixtures("wrong_client")
def test_they_say_yesterday_a_day_later_and_then_nothing(database_url: str, member: httpx.Client):
    for day, said in ((1, "hashes yesterday;"), (2, None)):
        with kept_connection(database_url) as connection:
            connection.execute("UPDATE overflows SET day = %s", [datetime.now(UTC).date() - timedelta(days=day)])
        shown = text(member.get("/dashboard", params={"project": "1"}))
        assert said in shown if said else "new version hashes" not in shown


@pytest.mark.usefixtures("wrong_client")
def test_they_name_the_keys_that_sent_events_lately(database_url: str, member: httpx.Client, redis_client: redis.Redis):
    for _ in range(2):
        create_key(database_url, project="p")
    create_key(database_url, project="another")
    with kept_connection(database_url) as connection:
        keys = connection.execute("SELECT id, prefix FROM api_keys ORDER BY id").fetchall()
    (quiet, _), (busy, prefix), (foreign, _) = keys
    now = five_minutes_of(datetime.now(UTC).timestamp())
    add_counts(redis_client, EVENTS_BY_KEY, {(now, str(busy)): 9, (now, str(foreign)): 99})
    shown = text(member.get(PAGE, params={"project": "1"}))
    assert f"Keys that sent events in the last 24 hours: test ({prefix}…) . What to do" in shown
    assert quiet != busy


def test_the_system_page_has_those_of_all_projects_for_operators(web: str, database_url: str, project_id: int):
    store(database_url, wrong_events(project_id))
    with (
        signed_in_client(web, database_url, project="q") as admin,
        signed_in_client(web, database_url, email="operator@p.example", is_operator=True) as operator,
    ):
        of_all, of_q = (text(each.get("/dashboard/system")) for each in (operator, admin))
    assert f"p : {OF_VERSIONS}" in of_all
    assert f"p : {OF_PROMPTS}" in of_all
    assert "new version hashes" not in of_q


@pytest.mark.usefixtures("wrong_client")
def test_other_is_in_every_total_and_marked_in_the_tables(web: str, database_url: str, member: httpx.Client):
    key = create_key(database_url, project="p", scopes=["read"])
    with httpx.Client(base_url=web, headers={"Authorization": f"Bearer {key}"}) as reader:
        project, prompt = (reader.get(path).json()["data"] for path in (API, f"{API}/{PROMPT}"))
    assert project["totals"]["events"] == 10
    assert {each["prompt_id"]: each["events"] for each in project["prompts"]}[str(OTHER_PROMPT)] == 3
    assert {each["version_hash"]: each["events"] for each in prompt["versions"]} == {
        "v0": 1,
        "v1": 1,
        OTHER_VERSION: 4,
    }
    assert "events with further prompt ids" in page_of(member, "/dashboard")
    assert page_of(member, PAGE).count("events with further version hashes") == 1


@pytest.mark.usefixtures("wrong_client")
def test_other_is_compared_with_nothing_and_never_new(web: str, database_url: str, member: httpx.Client):
    page, dashboard = page_of(member, PAGE), page_of(member, "/dashboard")
    offered = re.findall(r'<option[^>]* value="([^"]*)"', page)
    assert set(offered) == {"v0", "v1"}
    assert OTHER_VERSION not in re.sub(
        r"<p class=\"flash.*?</p>", "", dashboard.partition('id="prompts"')[0], flags=re.DOTALL
    )
    key = create_key(database_url, project="p", scopes=["read"])
    compare = f"{API}/{PROMPT}/comparison"
    with httpx.Client(base_url=web, headers={"Authorization": f"Bearer {key}"}) as reader:
        chosen = reader.get(compare).json()["data"]
        refused = reader.get(compare, params={"candidate": OTHER_VERSION})
    assert {chosen["baseline"]["version_hash"], chosen["candidate"]["version_hash"]} == {"v0", "v1"}
    assert refused.status_code == 404


@pytest.mark.usefixtures("wrong_client")
def test_metrics_count_what_is_under_other_today(web: str, database_url: str):
    found = re.search(rf"^{metrics.EVENTS_UNDER_OTHER} (\S+)$", httpx.get(f"{web}/metrics").text, re.MULTILINE)
    assert found
    assert float(found[1]) == 7

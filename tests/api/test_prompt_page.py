"""The page of a prompt: its versions, what is said of the newest, names, and text that others chose."""

import re
from datetime import datetime, timedelta
from html import escape, unescape

import httpx
import pytest

from app.core.names import LONGEST_LABEL
from tests.api_keys import create_key
from tests.prompt_page import PATH, TAG, store_two_versions, verdict
from tests.sign_in import create_project, page_of, submit
from tests.stored_events import PROMPT, an_event, store_events

SWITCH = re.compile(r"<nav class=\"segments small\".*?</nav>", re.DOTALL)
HOSTILE = (
    "<script>alert(1)</script>",
    '"><svg onload=alert(1)>',
    "<img src=x onerror=alert(1)>",
    "</script><script>alert(1)</script>",
    "{{ 7 * 7 }}",
    "=cmd()",
    "javascript:alert(1)",
)

pytestmark = pytest.mark.usefixtures("clean_redis")


def cells(page: str, version: str) -> list[str]:
    """The row of a version, without its name."""
    row = page.split(f'<tr data-key="{escape(version)}"')[1].split("</tr>", maxsplit=1)[0]
    found = re.findall(r'<td class="number"[^>]*>(.*?)</td>', row)
    return [unescape(TAG.sub("", cell)).replace("\N{NO-BREAK SPACE}", " ") for cell in found]


def test_versions_stand_side_by_side(database_url: str, project_id: int, member: httpx.Client):
    store_events(
        database_url,
        [
            *[an_event(project_id, timedelta(hours=3), version="a", cost_usd="0.5", latency_ms="1000", score="1")] * 1,
            an_event(project_id, timedelta(hours=2), version="b"),
            an_event(project_id, timedelta(days=3), version="b"),
            an_event(project_id, timedelta(minutes=4), version="a", cost_usd="0.25", latency_ms="1000"),
            an_event(project_id, timedelta(minutes=4), version="a"),
        ],
    )
    page = page_of(member, PATH)
    assert cells(page, "a") == ["3", "75 %", "3 h ago", "4 min ago", "$0.375", "1.00 s", "1.00 s", "1.00 s", "1.000"]
    assert cells(page, "b") == ["1", "25 %", "3 d ago", "2 h ago", *["\N{EN DASH}"] * 5]


@pytest.mark.parametrize("metric", ["cost", "p50", "p95", "score", "events"])
def test_the_chart_has_a_line_for_each_version(database_url: str, project_id: int, member: httpx.Client, metric: str):
    store_two_versions(database_url, project_id)
    page = page_of(member, PATH, metric=metric)
    assert f'id="chart-{metric}"' in page
    chart = page.split(f'id="chart-{metric}"')[1].split("</figure>", maxsplit=1)[0]
    assert len(re.findall(r'<g class="series-\d">', chart)) == 2
    assert "v2 first seen 20" in chart
    assert 'class="chart-marker"' in chart
    switch = SWITCH.search(page)
    assert switch
    assert re.search(rf'metric={metric}[^>]*aria-current="true"', switch[0])


def test_a_prompt_that_was_never_used_is_not_found(member: httpx.Client):
    assert member.get(PATH, params={"project": "1"}).status_code == 404
    assert member.get("/dashboard/prompts/nonsense", params={"project": "1"}).status_code == 404


def test_a_prompt_without_events_in_the_range_has_a_page(database_url: str, project_id: int, member: httpx.Client):
    store_events(database_url, [an_event(project_id, timedelta(days=3))])
    assert "No events in the last 24 h" in page_of(member, PATH)


def test_another_projects_prompt_is_not_found(database_url: str, project_id: int, member: httpx.Client):
    store_events(database_url, [an_event(create_project(database_url, "other"))])
    assert member.get(PATH, params={"project": "1"}).status_code == 404
    assert submit(member, f"{PATH}/name?project=1", {"name": "mine"}).status_code == 404
    assert submit(member, f"{PATH}/versions/name?project=1", {"name": "mine", "version_hash": "v1"}).status_code == 404


def test_a_name_shows_everywhere_beside_the_id(database_url: str, project_id: int, member: httpx.Client):
    store_two_versions(database_url, project_id)
    named = submit(member, f"{PATH}/name?project=1&range=7d&metric=p95", {"name": " Greeting "})
    assert named.status_code == 303
    location = named.headers["Location"]
    assert set(location.split("?")[1].split("&")) == {"range=7d", "metric=p95", "project=1"}
    submit(member, f"{PATH}/versions/name?project=1", {"name": "Second try", "version_hash": "v2"})
    page = page_of(member, PATH, range="7d")
    assert "<title>Greeting" in page
    assert str(PROMPT) in page
    assert verdict(page).startswith("Second try is mixed against v1: ")
    assert '<bdi class="named">Second try</bdi>' in page
    assert '<bdi class="identifier">v2</bdi>' in page
    dashboard = page_of(member, "/dashboard", q="greet")
    assert '<bdi class="named">Greeting</bdi>' in dashboard
    assert str(PROMPT) in dashboard


def test_the_empty_name_takes_a_name_away(database_url: str, project_id: int, member: httpx.Client):
    store_events(database_url, [an_event(project_id)])
    for name, shown in (("Greeting", True), ("  ", False)):
        submit(member, f"{PATH}/name?project=1", {"name": name})
        assert ("Greeting" in page_of(member, PATH)) is shown


@pytest.mark.parametrize("name", ["x" * 81, "a\nb", "a\u202eb", "zero\u200bwidth", "\0"])
def test_a_name_that_nobody_could_read_is_refused(database_url: str, project_id: int, member: httpx.Client, name: str):
    store_events(database_url, [an_event(project_id)])
    answer = submit(member, f"{PATH}/name?project=1", {"name": name}, follow_redirects=True)
    assert 'class="flash error"' in answer.text
    assert f"<h1><bdi>{PROMPT}</bdi></h1>" in answer.text


def test_what_can_be_no_version_is_an_error_of_the_form(member: httpx.Client):
    data = {"name": "x", "version_hash": "v\x001"}
    answer = submit(member, f"{PATH}/versions/name?project=1", data)
    assert (answer.status_code, answer.headers["Location"].partition("?")[0]) == (303, PATH)


def test_a_version_that_does_not_exist_cannot_be_named(database_url: str, project_id: int, member: httpx.Client):
    store_events(database_url, [an_event(project_id)])
    data = {"name": "x", "version_hash": "other"}
    assert submit(member, f"{PATH}/versions/name?project=1", data).status_code == 404


@pytest.mark.parametrize("hostile", HOSTILE)
def test_what_others_chose_is_only_text(database_url: str, project_id: int, member: httpx.Client, hostile: str):
    store_two_versions(database_url, project_id, newer=hostile)
    submit(member, f"{PATH}/name?project=1", {"name": hostile})
    submit(member, f"{PATH}/versions/name?project=1", {"name": hostile, "version_hash": "v1"})
    for page in (page_of(member, PATH), page_of(member, "/dashboard"), page_of(member, "/dashboard", q=hostile)):
        for start in ("<script>", "<svg onload", "<img"):
            assert start not in page
        assert "49" not in "".join(re.findall(r"<bdi[^>]*>.*?</bdi>", page))
        assert escape(hostile).replace("&#x27;", "&#39;").replace("&quot;", "&#34;") in page


def test_letters_that_turn_the_text_are_shown_by_their_numbers(
    database_url: str, project_id: int, member: httpx.Client
):
    store_events(database_url, [an_event(project_id, version="a\u202eb\u200bc")])
    page = page_of(member, PATH)
    assert '<bdi class="identifier alone">a[U+202E]b[U+200B]c</bdi>' in page
    # the form must name the version as it is
    assert (
        submit(
            member, f"{PATH}/versions/name?project=1", {"name": "Named", "version_hash": "a\u202eb\u200bc"}
        ).status_code
        == 303
    )
    page = page_of(member, PATH)
    assert "Named" in page
    assert f'maxlength="{LONGEST_LABEL}"' in page


def test_its_totals_are_those_of_the_read_api(web: str, database_url: str, project_id: int, member: httpx.Client):
    store_two_versions(database_url, project_id)
    api_key = create_key(database_url, project="p", scopes=["read"])
    answer = httpx.get(f"{web}/api/v1/prompts/analytics/{PROMPT}", headers={"Authorization": f"Bearer {api_key}"})
    data = answer.json()["data"]
    page = page_of(member, PATH)
    assert re.findall(r'<span class="figure-value">(.*?)</span>', page)[0] == str(data["totals"]["events"])
    assert {each["version_hash"]: str(each["events"]) for each in data["versions"]} == {
        version: cells(page, version)[0] for version in ("v1", "v2")
    }


def test_times_are_told_exactly_to_who_asks(database_url: str, project_id: int, member: httpx.Client):
    store_events(database_url, [an_event(project_id)])
    found = re.search(r'<time datetime="([^"]+)" title="[\d-]+ [\d:]+ UTC">', page_of(member, PATH))
    assert found
    assert datetime.fromisoformat(found[1]).tzinfo is not None

"""The table of versions on a prompt's page: sorted, searched, page by page; and the page of some versions alone."""

import csv
import io
import re
from datetime import timedelta
from html import unescape

import httpx
import psycopg
import pytest

from app.web.pages.layout.tables import ROWS_PER_PAGE
from tests.prompt_page import PATH, TAG, store_two_versions, verdict
from tests.sign_in import page_of
from tests.stored_events import an_event, store_events

pytestmark = pytest.mark.usefixtures("clean_redis")


def table(page: str) -> str:
    return page.split('<table class="table stacks measured versions">')[1].split("</table>", maxsplit=1)[0]


def rows(page: str) -> list[str]:
    """The hashes of the versions in the table, from the top."""
    return [unescape(found) for found in re.findall(r'<tr data-key="([^"]+)"', table(page))]


def figures(page: str) -> list[str]:
    return [unescape(TAG.sub("", each)) for each in re.findall(r'<span class="figure-value">(.*?)</span>', page)]


def store_three(database_url: str, project_id: int) -> None:
    """Of which the newest is the slowest, the middle one the dearest and the busiest, and the oldest scores best."""
    store_events(
        database_url,
        [
            an_event(project_id, timedelta(hours=3), version="first", latency_ms="100", cost_usd="0.2", score="0.9"),
            *[
                an_event(project_id, timedelta(hours=2), version="second", latency_ms="200", cost_usd="0.3")
                for _ in range(3)
            ],
            an_event(project_id, timedelta(hours=1), version="third", latency_ms="300", cost_usd="0.1", score="0.5"),
        ],
    )


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({}, ["third", "second", "first"]),
        ({"sort": "first", "order": "asc"}, ["first", "second", "third"]),
        ({"sort": "cost"}, ["second", "first", "third"]),
        ({"sort": "p95"}, ["third", "second", "first"]),
        ({"sort": "events"}, ["second", "first", "third"]),
        ({"sort": "score", "order": "asc"}, ["third", "first", "second"]),
        ({"sort": "version"}, ["first", "second", "third"]),
        ({"sort": "nonsense"}, ["third", "second", "first"]),
        ({"q": "SEC"}, ["second"]),
    ],
)
def test_the_address_sorts_and_searches(
    database_url: str, project_id: int, member: httpx.Client, arguments: dict[str, str], expected: list[str]
):
    store_three(database_url, project_id)
    assert rows(page_of(member, PATH, **arguments)) == expected


def test_a_search_finds_names_and_leaves_figures_and_chart_alone(
    database_url: str, project_id: int, member: httpx.Client
):
    store_three(database_url, project_id)
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("UPDATE prompt_versions SET name = 'Greeting' WHERE version_hash = 'first'")
    page = page_of(member, PATH, q="gREET")
    assert rows(page) == ["first"]
    assert figures(page)[0] == "5"
    assert len(re.findall("data-line=", page)) == 3
    assert "No version like that" in page_of(member, PATH, q="other")


def test_a_table_of_many_has_pages_that_keep_what_was_asked_for(
    database_url: str, project_id: int, member: httpx.Client
):
    count = 2 * ROWS_PER_PAGE + 1
    store_events(
        database_url,
        [an_event(project_id, timedelta(minutes=5 + number), version=f"v{number:03}") for number in range(count)],
    )
    first = page_of(member, PATH, q="v", sort="version", order="desc")
    last = page_of(member, PATH, q="v", sort="version", order="desc", page="3")
    assert rows(first) == [f"v{number:03}" for number in range(count - 1, count - 1 - ROWS_PER_PAGE, -1)]
    assert rows(last) == ["v000"]
    assert rows(page_of(member, PATH, page="999")) == [f"v{count - 1:03}"]
    link = re.search(r'rel="next" href="([^"]+)"', first)
    assert link
    second = member.get(unescape(link[1])).text
    assert rows(second)[0] == f"v{count - 1 - ROWS_PER_PAGE:03}"
    assert f"{ROWS_PER_PAGE + 1}\N{EN DASH}{2 * ROWS_PER_PAGE} of {count}" in second


def test_the_page_of_some_versions_is_of_these_alone(database_url: str, project_id: int, member: httpx.Client):
    store_three(database_url, project_id)
    params = {"project": "1", "version": ["first", "second"], "metric": "events", "sort": "cost"}
    page = member.get(PATH, params=params).text
    assert rows(page) == ["second", "first"]
    assert figures(page)[:2] == ["4", "$1.10"]
    chart = page.split('id="chart-events"')[1].split("</figure>", maxsplit=1)[0]
    assert re.findall(r'<li data-key="([^"]+)"', chart) == ["second", "first"]
    back = re.search(r'id="only".*?href="([^"]+)"', page, re.DOTALL)
    assert back
    whole = member.get(unescape(back[1])).text
    assert rows(whole) == ["second", "first", "third"]
    assert 'id="only"' not in whole
    assert 'aria-current="true">Events' in whole
    assert verdict(page) == verdict(whole)


def test_each_download_is_of_what_the_page_shows(database_url: str, project_id: int, member: httpx.Client):
    store_three(database_url, project_id)
    params = {"project": "1", "version": ["first", "third"], "sort": "score"}

    def column(path: str, name: str) -> list[str]:
        answer = member.get(f"{PATH}/{path}", params=params)
        assert answer.status_code == 200, answer.text
        return [row[name] for row in csv.DictReader(io.StringIO(answer.text.removeprefix("\ufeff")))]

    assert column("versions.csv", "version_hash") == ["first", "third"]
    assert column("versions.csv", "share") == ["0.5", "0.5"]
    assert set(column("chart.csv", "version_hash")) == {"first", "third"}
    assert [share for share in column("latencies.csv", "share") if share != "0.0"] == ["0.5", "0.5"]


@pytest.mark.parametrize("version", ["other", "x" * 257, "a\0b"])
@pytest.mark.parametrize("path", ["", "/versions.csv", "/chart.csv", "/latencies.csv"])
def test_a_version_that_is_not_there_is_not_found(
    database_url: str, project_id: int, member: httpx.Client, path: str, version: str
):
    store_three(database_url, project_id)
    answer = member.get(PATH + path, params={"project": "1", "version": ["first", version]})
    assert answer.status_code == 404


def test_long_hashes_are_told_apart_wherever_they_stand(database_url: str, project_id: int, member: httpx.Client):
    older, newer = (f"customer-support-{version}-reply-of-the-year-2026" for version in ("v10", "v11"))
    store_two_versions(database_url, project_id, older=older, newer=newer)
    page = page_of(member, PATH)
    short = ["custom…t-v11-reply…", "custom…t-v10-reply…"]
    assert verdict(page).startswith(f"{short[0]} is mixed against {short[1]}: ")
    legend = page.split('<ul class="legend"')[1].split("</ul>", maxsplit=1)[0]
    assert re.findall("<bdi>(.*?)</bdi>", legend) == short
    assert re.findall('<option [^>]*data-key="[^"]*"[^>]*>(.*?)</option>', page)[:2] == short
    assert unescape(TAG.sub("", table(page))).count(newer) == 1


def test_more_versions_than_an_address_can_name_are_refused(database_url: str, project_id: int, member: httpx.Client):
    store_three(database_url, project_id)
    params = {"project": "1", "version": [f"v{number}" for number in range(51)]}
    assert "at most 50 versions" in member.get(PATH, params=params).text

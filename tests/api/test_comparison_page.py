"""Which of two versions to ship: what the page of a prompt says, and how its address chooses them."""

import csv
import re
from datetime import timedelta
from html import unescape

import httpx
import pytest

from tests.prompt_page import PATH, TAG, store_two_versions, verdict
from tests.sign_in import page_of, submit
from tests.stored_events import an_event, store_events

ALL = f"{PATH}/comparisons"
HREF = re.compile(r'href="([^"]+)"')

pytestmark = pytest.mark.usefixtures("clean_redis")


@pytest.fixture
def page_with_two(database_url: str, project_id: int, member: httpx.Client) -> str:
    store_two_versions(database_url, project_id)
    return page_of(member, PATH)


def chosen(page: str, name: str) -> str:
    """What is chosen in a select."""
    select = page.split(f'<select name="{name}"')[1].split("</select>", maxsplit=1)[0]
    found = re.search(r'value="([^"]+)"[^>]* selected', select)
    assert found
    return found[1]


def store_third_version(database_url: str, project_id: int) -> None:
    events = [
        an_event(project_id, timedelta(minutes=90, seconds=number), version="v3", cost_usd="0.05")
        for number in range(9)
    ]
    store_events(database_url, events)


def test_the_newest_version_is_compared_with_the_one_before(page_with_two: str):
    assert re.fullmatch(
        r"v2 is mixed against v1: 50 % cheaper, but \d+ % slower \(\d+ to \d+ %\)\. "
        r"There is no clear difference in p95 latency and score\.",
        verdict(page_with_two),
    )
    assert (chosen(page_with_two, "candidate"), chosen(page_with_two, "baseline")) == ("v2", "v1")
    assert re.search(
        r"Compared side by side, hour by hour, in the [67] hours that both have since", TAG.sub("", page_with_two)
    )
    assert "wrong in at most 5 % of cases, however often you look" in page_with_two


def test_each_measure_has_a_row_with_its_interval_margin_and_verdict(page_with_two: str):
    row = page_with_two.split('<th scope="row">Cost ')[1].split("</tr>", maxsplit=1)[0]
    cells = [unescape(TAG.sub("", cell)).replace("\N{NO-BREAK SPACE}", " ") for cell in re.findall(r"<td.*?</td>", row)]
    assert cells[3].endswith("% cheaper")
    assert cells[4:] == ["5 %", "better"]


def test_pictures_have_the_same_in_numbers(page_with_two: str):
    assert page_with_two.count('<figure class="chart shrinking"') >= 3
    assert "What was known at each time" in page_with_two
    assert "Latencies of both versions" in page_with_two
    assert "The share of the events by latency" in page_with_two


def test_any_two_versions_can_be_chosen_and_every_link_keeps_them(
    database_url: str, project_id: int, member: httpx.Client
):
    store_two_versions(database_url, project_id)
    store_third_version(database_url, project_id)
    page = page_of(member, PATH, baseline="v2", candidate="v1", range="7d", metric="p95")
    assert verdict(page).startswith("v1 is mixed against v2: ")
    assert (chosen(page, "candidate"), chosen(page, "baseline")) == ("v1", "v2")
    links = [unescape(link) for link in HREF.findall(page)]
    ranges = [link for link in links if link.startswith(f"{PATH}?")]
    assert len(ranges) >= 9, "five ranges and four other charts"
    assert all("baseline=v2" in link and "candidate=v1" in link for link in ranges)
    assert len([link for link in ranges if "range=7d" in link]) >= 4
    answer = submit(member, f"{PATH}/name?project=1&baseline=v2&candidate=v1", {"name": "Greeting"})
    assert {"baseline=v2", "candidate=v1"} <= set(answer.headers["Location"].split("?")[1].split("&"))


def test_one_version_chosen_is_compared_with_the_default_for_the_other(
    database_url: str, project_id: int, member: httpx.Client
):
    store_two_versions(database_url, project_id)
    store_third_version(database_url, project_id)
    page = page_of(member, PATH, candidate="v2", baseline="")
    assert chosen(page, "baseline") == "v1"
    assert chosen(page_of(member, PATH, baseline="v1"), "candidate") == "v3"
    # which hours they have in common hangs on the minute in which this runs
    assert verdict(page_of(member, PATH)).startswith("Can't tell yet whether v3 is better than v2: ")


@pytest.mark.parametrize("name", ["baseline", "candidate"])
@pytest.mark.parametrize("version", ["v9", "v\0", "x" * 257])
def test_a_version_that_is_not_there_is_not_found(page_with_two: str, member: httpx.Client, name: str, version: str):
    for path in (PATH, ALL):
        if path == PATH or name == "baseline":
            answer = member.get(path, params={"project": "1", name: version})
            assert answer.status_code == 404
            assert "There is no such version" in answer.text


def test_the_same_version_twice_is_refused_in_words(page_with_two: str, member: httpx.Client):
    answer = member.get(PATH, params={"project": "1", "baseline": "v1", "candidate": "v1"})
    assert answer.status_code == 400
    assert "These are one and the same version" in answer.text
    assert (chosen(answer.text, "candidate"), chosen(answer.text, "baseline")) == ("v1", "v1")
    assert 'class="verdict"' not in answer.text


def test_a_version_without_one_before_it_asks_for_another(page_with_two: str, member: httpx.Client):
    answer = member.get(PATH, params={"project": "1", "candidate": "v1"})
    assert answer.status_code == 400
    assert "There is no version to compare this one with" in answer.text
    assert chosen(answer.text, "candidate") == "v1"


def test_one_version_is_compared_with_nothing(database_url: str, project_id: int, member: httpx.Client):
    store_events(database_url, [an_event(project_id)])
    assert "comparison-heading" not in page_of(member, PATH)
    assert "There is one version alone" in page_of(member, ALL)


def test_all_versions_stand_against_one(database_url: str, project_id: int, member: httpx.Client):
    store_two_versions(database_url, project_id)
    store_third_version(database_url, project_id)
    page = page_of(member, ALL, baseline="v1")
    rows = page.split("<tbody>")[1].split("<tr>")[1:]
    assert [re.search(r"candidate=(v\d)", row)[1] for row in rows] == ["v3", "v2"]  # type: ignore[index]
    assert "Mixed" in rows[1]
    assert chosen(page, "baseline") == "v1"
    assert "wrong in at most 5 % of cases" in page
    assert "newest versions." not in page


def test_of_many_versions_the_newest_are_compared_and_that_is_said(
    database_url: str, project_id: int, member: httpx.Client
):
    events = [an_event(project_id, timedelta(minutes=2 * number), version=f"v{number}") for number in range(13)]
    store_events(database_url, events)
    page = page_of(member, ALL, baseline="v12")
    assert page.count("candidate=v") == 10
    assert "The 10 newest versions." in page


def test_all_of_it_is_a_csv_too(database_url: str, project_id: int, member: httpx.Client):
    store_two_versions(database_url, project_id)
    answer = member.get(f"{ALL}.csv", params={"project": "1", "baseline": "v1"})
    header, row = answer.content.decode("utf-8-sig").splitlines()
    found = dict(zip(header.split(","), row.split(","), strict=True))
    assert (found["version_hash"], found["baseline_hash"], found["decision"]) == ("v2", "v1", "mixed")
    assert (found["cost_usd_verdict"], found["latency_ms_verdict"]) == ("lower", "higher")
    assert float(found["cost_usd_low"]) < float(found["cost_usd_estimate"]) < float(found["cost_usd_high"]) < 0
    assert float(found["latency_ms_estimate"]) == pytest.approx(1, abs=0.1)


def test_what_a_version_never_sends_is_not_called_too_few_events(
    database_url: str, project_id: int, member: httpx.Client
):
    events = [
        an_event(project_id, timedelta(minutes=90, seconds=number), version=version, score=score, cost_usd="1")
        for version, score in (("v1", None), ("v2", "0.5"))
        for number in range(9)
    ]
    store_events(database_url, events)
    (row,) = csv.DictReader(member.get(f"{ALL}.csv", params={"project": "1"}).text.lstrip("\ufeff").splitlines())
    assert (row["latency_ms_verdict"], row["latency_p95_ms_verdict"]) == ("not_sent", "not_sent")
    assert (row["score_verdict"], row["cost_usd_verdict"]) == ("not_sent", "too_few")

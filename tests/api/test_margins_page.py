"""Margins: who sets them, for what they hold, and what is refused."""

from collections.abc import Iterator

import httpx
import pytest

from tests.audit_log import entries
from tests.commands import select
from tests.prompt_page import PATH, store_two_versions, verdict
from tests.sign_in import page_of, signed_in_client, submit
from tests.stored_events import PROMPT

PROJECT = "/dashboard/margins"
WIDE = {"cost_usd": "100", "latency_ms": "0.1", "latency_p95_ms": "7.5", "score": "0.3"}
STORED = (
    "SELECT prompt_key > 0, cost_usd, latency_ms, latency_p95_ms, score FROM comparison_margins ORDER BY prompt_key"
)
DEFAULT = "cost 5 %, latency 5 %, p95 latency 10 %, score 0.02 (by default)"

pytestmark = pytest.mark.usefixtures("clean_redis")


@pytest.fixture
def admin(web: str, database_url: str, project_id: int) -> Iterator[httpx.Client]:
    store_two_versions(database_url, project_id)
    with signed_in_client(web, database_url, role="admin", email="admin@example.com") as client:
        yield client


def shown(client: httpx.Client) -> str:
    """The margins that the page of the prompt names."""
    page = page_of(client, PATH).replace("\N{NO-BREAK SPACE}", " ")
    return page.split("if a version is worse: ")[1].split(".</p>")[0]


def test_those_of_the_project_hold_until_a_prompt_has_its_own(database_url: str, admin: httpx.Client):
    assert shown(admin) == DEFAULT
    assert submit(admin, f"{PROJECT}?project=1", WIDE).status_code == 303
    assert shown(admin) == "cost 100 %, latency 0.1 %, p95 latency 7.5 %, score 0.3 (of the project)"
    own = submit(admin, f"{PATH}/margins?project=1&baseline=v1&candidate=v2", {**WIDE, "score": "2"})
    assert own.status_code == 303
    assert "baseline=v1" in own.headers["Location"]
    assert shown(admin) == "cost 100 %, latency 0.1 %, p95 latency 7.5 %, score 2 (of this prompt)"
    assert select(database_url, STORED) == [(False, 1.0, 0.001, 0.075, 0.3), (True, 1.0, 0.001, 0.075, 2.0)]
    submit(admin, f"{PATH}/margins/reset?project=1")
    assert shown(admin).endswith("(of the project)")
    submit(admin, f"{PROJECT}/reset?project=1")
    assert shown(admin) == DEFAULT


def test_a_decision_follows_the_margins(web: str, admin: httpx.Client):
    assert "is <span" in page_of(admin, PATH)
    assert 'class="decision mixed"' in page_of(admin, PATH)
    submit(
        admin,
        f"{PATH}/margins?project=1",
        {"cost_usd": "5", "latency_ms": "100", "latency_p95_ms": "100", "score": "1"},
    )
    assert 'class="decision mixed"' in page_of(admin, PATH), "it is slower by more than 100 %, or may be"
    assert "100\N{NO-BREAK SPACE}%" in page_of(admin, PATH)


def test_an_empty_margin_leaves_its_measure_out_of_the_decision(database_url: str, admin: httpx.Client):
    assert 'class="decision mixed"' in page_of(admin, PATH)
    without = {**WIDE, "latency_ms": "", "latency_p95_ms": " "}
    assert submit(admin, f"{PATH}/margins?project=1", without).status_code == 303
    page = page_of(admin, PATH)
    assert verdict(page).startswith("v2 is better than v1: 5")
    assert verdict(page).endswith("Latency and p95 latency are not part of the decision: no margin is set.")
    assert page.count(">not part of the decision</td>") == 2
    assert shown(admin) == (
        "cost 100 %, latency not part of the decision, p95 latency not part of the decision, score 0.3 (of this prompt)"
    )
    assert select(database_url, STORED) == [(True, 1.0, None, None, 0.3)]
    table = admin.get(f"{PATH}/comparisons.csv?project=1&baseline=v1").text
    assert "higher" in table, "what is left out is still told"


def test_a_decision_is_made_of_one_measure_at_least_and_none_is_left_out_unsaid(database_url: str, admin: httpx.Client):
    nothing = dict.fromkeys(WIDE, "")
    refused = submit(admin, f"{PROJECT}?project=1", nothing)
    assert refused.status_code == 400
    assert "One measure at least is part of the decision." in refused.text
    unsaid = {name: value for name, value in WIDE.items() if name != "score"}
    assert "Enter a number." in submit(admin, f"{PROJECT}?project=1", unsaid).text
    assert select(database_url, STORED) == []


def test_each_change_is_in_the_audit_log(database_url: str, admin: httpx.Client):
    submit(admin, f"{PROJECT}?project=1", WIDE)
    submit(admin, f"{PATH}/margins?project=1", WIDE)
    for _ in range(2):
        submit(admin, f"{PATH}/margins/reset?project=1")
    words = "cost 100\N{NO-BREAK SPACE}%, latency 0.1\N{NO-BREAK SPACE}%, p95 latency 7.5\N{NO-BREAK SPACE}%, score 0.3"
    assert entries(database_url) == [
        ("margins set", "admin@example.com", f"the project ({words})", 1),
        ("margins set", "admin@example.com", f"prompt {PROMPT} ({words})", 1),
        ("margins set", "admin@example.com", f"prompt {PROMPT} (as before)", 1),
    ]


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("cost_usd", "0.09", "from 0.1 to 100 per cent"),
        ("cost_usd", "100.1", "from 0.1 to 100 per cent"),
        ("latency_ms", "five", "Enter a number."),
        ("latency_p95_ms", "nan", "from 0.1 to 100 per cent"),
        ("score", "0", "A margin of the score is above 0."),
        ("score", "-1", "A margin of the score is above 0."),
        ("score", "inf", "A margin of the score is above 0."),
        ("score", "nan", "A margin of the score is above 0."),
    ],
)
def test_what_is_no_margin_is_refused_in_words(
    database_url: str, admin: httpx.Client, field: str, value: str, words: str
):
    refused = submit(admin, f"{PROJECT}?project=1", {**WIDE, field: value})
    assert refused.status_code == 400
    assert words in refused.text
    told = submit(admin, f"{PATH}/margins?project=1", {**WIDE, field: value}, follow_redirects=True)
    assert 'class="flash error"' in told.text
    assert words in told.text
    assert select(database_url, STORED) == []


def test_members_see_them_and_cannot_change_them(admin: httpx.Client, member: httpx.Client):
    submit(admin, f"{PROJECT}?project=1", WIDE)
    assert "7.5" in page_of(member, PROJECT)
    assert "<form" not in page_of(member, PROJECT).split("<main")[1].split("</main>")[0]
    assert "(of the project)" in shown(member)
    assert "Change the margins" not in page_of(member, PATH)
    for path in (PROJECT, f"{PROJECT}/reset", f"{PATH}/margins", f"{PATH}/margins/reset"):
        assert submit(member, f"{path}?project=1", WIDE).status_code == 403

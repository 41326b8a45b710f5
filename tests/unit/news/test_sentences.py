"""News in words, and as the JSON that webhooks get."""

import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from app.core.news.findings import MeasureChange, budget_news, version_news
from app.core.news.message import message_body
from app.core.news.sentences import names_of_hashes, page_path, sentence
from app.core.queries.budgets import BudgetedSpend
from app.core.queries.news import News, NewsKind

PROMPT = UUID("123e4567-e89b-12d3-a456-426614174000")
NOVEMBER = datetime(2026, 11, 1, tzinfo=UTC)
CHANGES = [
    MeasureChange(measure="latency_p95_ms", change=0.123, low=0.08, high=0.164, is_more=True),
    MeasureChange(measure="score", change=-0.0312, low=-0.05, high=-0.012, is_more=False),
]


def worse(baseline: str = "v6", candidate: str = "v7", name: str | None = "Checkout") -> News:
    return version_news(
        NewsKind.VERSION_WORSE,
        project_id=1,
        prompt_id=PROMPT,
        prompt_name=name,
        baseline=(baseline, None),
        candidate=(candidate, "shorter"),
        compared="side_by_side",
        decision="worse",
        changes=CHANGES,
    )


def spend(spent: str, *, prompt: UUID | None = None) -> BudgetedSpend:
    name = None if prompt is None else "Checkout"
    return BudgetedSpend(
        project_id=1, prompt_id=prompt, name=name, usd_per_month=Decimal("100.00"), spent_usd=Decimal(spent)
    )


def test_a_version_that_is_worse():
    assert sentence("version_worse", worse().payload) == (
        "version shorter of the prompt Checkout is worse than v6: "
        "p95 latency +12.3 % (between +8 % and +16.4 %); score \u22120.031 (between \u22120.050 and \u22120.012) "
        "(in the hours in which both ran)."
    )
    assert page_path("version_worse", worse().payload, 7) == f"/dashboard/prompts/{PROMPT}?project=7"


def test_versions_are_called_as_on_the_pages_with_the_whole_hashes_at_hand():
    older, newer = (f"customer-support-reply-v{number}-of-the-team" for number in (10, 11))
    news = version_news(
        NewsKind.VERSION_BETTER,
        project_id=1,
        prompt_id=PROMPT,
        prompt_name="Checkout",
        baseline=(older, None),
        candidate=(newer, None),
        compared="side_by_side",
        decision="better",
        changes=[],
    )
    told = sentence(news.kind, news.payload)
    assert told.startswith("version custom…y-v11-of-th… of the prompt Checkout is better than custom…y-v10-of-th…")
    assert names_of_hashes(news.kind, news.payload) == {newer: "custom…y-v11-of-th…", older: "custom…y-v10-of-th…"}
    assert names_of_hashes("version_worse", worse().payload) == {"v7": "shorter"}
    assert names_of_hashes("silence", worse().payload) == names_of_hashes("version_worse", {"candidate": {}}) == {}


def test_a_pair_of_versions_is_one_piece_of_news_in_each_direction():
    assert worse().period == worse(name="renamed").period
    assert len({worse().period, worse("v7", "v6").period, worse("v6\u2192v", "7").period}) == 3
    assert len(worse("v" * 256, "\U0001f600" * 256).period) == 64


@pytest.mark.parametrize(
    ("spent", "percents"),
    [
        ("49.999999", []),
        ("50", [50]),
        ("79.99", [50]),
        ("80", [50, 80]),
        ("100", [50, 80, 100]),
        ("900", [50, 80, 100]),
    ],
)
def test_a_budget_is_news_at_each_threshold_that_is_reached(spent: str, percents: list[int]):
    assert [news.payload["percent"] for news in budget_news(spend(spent), NOVEMBER)] == percents


def test_a_budget_of_a_project_and_of_a_prompt():
    (of_project,) = budget_news(spend("50"), NOVEMBER)
    (of_prompt,) = budget_news(spend("50", prompt=PROMPT), NOVEMBER)
    assert sentence("budget", of_project.payload) == (
        "the project has spent $50.00 in 2026-11: 50 % of $100.00 is reached."
    )
    assert sentence("budget", of_prompt.payload).startswith("the prompt Checkout has spent $50.00")
    assert (of_project.subject, of_prompt.subject) == ("project", str(PROMPT))


@pytest.mark.parametrize("payload", [{}, {"prompt": None}, {"letters": "many"}, {"changes": [{}]}, {"spent_usd": None}])
@pytest.mark.parametrize("kind", [*NewsKind, "of_tomorrow"])
def test_a_payload_of_another_release_is_told_all_the_same(kind: str, payload: dict[str, Any]):
    assert sentence(kind, payload).endswith(".")
    assert page_path(kind, payload, 1).endswith("?project=1")
    assert names_of_hashes(kind, payload) == {}


def body(payload: dict[str, Any], *, project: str = "Shop", public_url: str | None = None) -> dict[str, Any]:
    made = message_body(
        PROMPT, "test", payload, project_id=3, project=project, created_at=NOVEMBER, public_url=public_url
    )
    return dict(json.loads(made))


def test_a_message_is_what_the_documentation_says():
    assert body({"webhook": "ops"}, public_url="https://a.example") == {
        "id": "msg_123e4567e89b12d3a456426614174000",
        "type": "test",
        "timestamp": "2026-11-01T00:00:00Z",
        "project": {"id": 3, "name": "Shop"},
        "data": {"webhook": "ops"},
        "text": "Shop: this is a test of the webhook ops. All is well. https://a.example/dashboard/webhooks?project=3",
        "url": "https://a.example/dashboard/webhooks?project=3",
    }


def test_without_a_public_url_there_is_no_link():
    message = body({"webhook": "ops"})
    assert (message["url"], message["text"][-12:]) == (None, "All is well.")


def test_a_name_calls_nobody_in_slack():
    message = body({"webhook": "a & b"}, project="<!channel>")
    assert message["text"].startswith("&lt;!channel&gt;: this is a test of the webhook a &amp; b.")
    assert message["project"]["name"] == "<!channel>"

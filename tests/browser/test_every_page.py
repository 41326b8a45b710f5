"""Every page as different people meet it, with what an ordinary and a hostile client have sent."""

import httpx
import psycopg
import pytest
from playwright.sync_api import Page, expect

from app.demo.story import PROMPTS
from app.web.pages.documents.views import DOCUMENTS
from tests.api_keys import create_key
from tests.browser.axe import violations
from tests.browser.chromium import WIDE
from tests.browser.conftest import NewPage
from tests.browser.page_faults import cut_off, page_faults, small_targets
from tests.browser.visitors import Visitor, new_visitor
from tests.commands import run_command
from tests.processes import SECRET_KEY
from tests.waiting import wait_until

PATH = "/api/v1/prompts/analytics"
HOSTILE_PROMPT = "00000000-0000-4000-8000-000000000bad"
HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "<svg/onload=alert(1)>",
    "</script><script>alert(1)</script>",
    "{{ 7 * 7 }}${alert(1)}",
    "\u202egnp.exe\u2066\u200b",
    "=cmd|' /C calc'!A0",
    "x" * 256,
)
NAME_PROMPT = "UPDATE prompts SET name = %(name)s WHERE prompt_id = %(prompt_id)s RETURNING id"
PAGES = (
    "/dashboard?range=30d",
    f"/dashboard/prompts/{PROMPTS[0].prompt_id}?range=30d",
    f"/dashboard/prompts/{PROMPTS[5].prompt_id}?range=7d",
    f"/dashboard/prompts/{HOSTILE_PROMPT}?range=24h",
    f"/dashboard/prompts/{PROMPTS[5].prompt_id}/events?range=30d&by=slowest",
    f"/dashboard/prompts/{HOSTILE_PROMPT}/events",
    f"/dashboard/prompts/{PROMPTS[3].prompt_id}/comparisons",
    f"/dashboard/prompts/{HOSTILE_PROMPT}/comparisons",
    "/dashboard/margins",
    "/dashboard/news",
    "/dashboard/budgets",
    "/dashboard/webhooks",
    "/dashboard/api-keys",
    "/dashboard/refusals",
    "/dashboard/system",
    "/dashboard/members",
    "/dashboard/audit-log",
    "/dashboard/projects",
    "/account",
    *(f"/docs/{name}" for name in DOCUMENTS),
)
# A phone has the colours of the light look; nine tenths of the time of axe-core go into this rule, and `page_faults`
# looks at contrast, too.
LEFT_OUT = {"phone": ("color-contrast",)}


@pytest.fixture(scope="module")
def shopkeeper(service: str, database_url: str, redis_url: str) -> Visitor:
    """An operator whose project has a month of history, and hostile names wherever names can be."""
    visitor = new_visitor(service, database_url, is_operator=True, project=f"shop {HOSTILE[1]}")
    servers = {"database_url": database_url, "redis_url": redis_url, "secret_key": SECRET_KEY}
    done = run_command("demo", "--project", visitor.project, "--events", "3000", "--url", service, **servers)
    assert done.exit_code == 0, done.output
    key = create_key(database_url, project=visitor.project)
    events = [{"prompt_id": HOSTILE_PROMPT, "version_hash": text, "latency_ms": 1, "score": 0} for text in HOSTILE]
    headers = {"Authorization": f"Bearer {key}"}
    assert httpx.post(f"{service}{PATH}/batch", json={"events": events}, headers=headers).status_code == 204
    with psycopg.connect(database_url, autocommit=True) as connection:
        name = {"name": HOSTILE[0], "prompt_id": HOSTILE_PROMPT}
        wait_until(lambda: connection.execute(NAME_PROMPT, name).fetchall())
    return visitor


@pytest.mark.timeout(600)
@pytest.mark.parametrize("look", ["light", "dark", "phone", "no JavaScript"])
def test_every_page_is_fit_for_everybody(new_page: NewPage, shopkeeper: Visitor, look: str):
    page = new_page(look)
    shopkeeper.enter(page)
    faults: dict[str, list[object]] = {}
    for path in PAGES:
        answer = page.goto(path)
        assert answer is not None
        assert answer.status == 200, path
        expect(page.get_by_role("heading", level=1)).to_be_visible()
        page.wait_for_load_state("networkidle")
        # axe-core waits for what only comes with JavaScript
        found = violations(page, look=look, without=LEFT_OUT.get(look, ())) if look != "no JavaScript" else {}
        faults[path] = [*page_faults(page), *found.items()]
        if look == "phone":
            faults[path] += small_targets(page)
        if look == "light":
            page.set_viewport_size({"width": 1_024, "height": 800})
            faults[path] += cut_off(page)
            page.set_viewport_size(WIDE)
    assert {path: found for path, found in faults.items() if found} == {}


def test_hostile_names_are_shown_as_they_are(page: Page, shopkeeper: Visitor):
    shopkeeper.enter(page)
    page.goto(f"/dashboard/prompts/{HOSTILE_PROMPT}?range=24h")
    main = page.get_by_role("main")
    for text in HOSTILE[:5]:
        expect(main).to_contain_text(text)
    expect(main).not_to_contain_text("\u202e")

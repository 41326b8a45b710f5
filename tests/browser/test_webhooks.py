"""Adding a webhook, trying it, and seeing what became of it, with a real receiver that checks signatures."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from app.local.children import Guard
from tests.browser.conftest import NewPage
from tests.browser.page_faults import page_faults
from tests.browser.visitors import Visitor, new_visitor
from tests.processes import start_process
from tests.receivers import Receiver, is_genuine, open_receiver
from tests.waiting import wait_until

ALLOWED = {"WEBHOOK_PRIVATE_ADDRESSES": "allow", "WEBHOOK_HTTP": "allow"}


@pytest.fixture(scope="module")
def service(browser: Browser, empty_servers: dict[str, str], guard: Guard, server_folder: Path) -> Iterator[str]:
    """Web and a worker that may reach this machine."""
    environment = empty_servers | ALLOWED
    web = start_process("web", guard, server_folder, environment)
    worker = start_process("worker", guard, server_folder, environment)
    yield web.url
    worker.stop()
    web.stop()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with open_receiver() as receiver:
        yield receiver


def add_webhook(page: Page, visitor: Visitor, receiver: Receiver) -> str:
    """Its secret. The page is then the one that shows it."""
    visitor.enter(page)
    page.goto(f"/dashboard/webhooks?project={visitor.project_id}")
    assert page_faults(page) == []
    page.get_by_label("Name").fill("ops")
    page.get_by_label("Address").fill(receiver.url)
    page.get_by_label("A version is better").uncheck()
    page.get_by_role("button", name="Add webhook").click()
    secret = page.locator("#webhook-secret").inner_text()
    assert page_faults(page) == []
    return secret


@pytest.mark.parametrize("look", ["light", "dark", "phone", "no JavaScript"])
def test_an_admin_adds_a_webhook_tries_it_and_sees_its_answer(
    new_page: NewPage, service: str, database_url: str, receiver: Receiver, look: str
):
    page, visitor = new_page(look), new_visitor(service, database_url)
    receiver.status, receiver.answer = 200, b"thank you"
    secret = add_webhook(page, visitor, receiver)
    page.get_by_role("button", name="Send a test").click()
    expect(page.get_by_role("status").first).to_contain_text("A test is on its way")
    wait_until(lambda: receiver.received, 30)
    (got,) = receiver.received
    assert is_genuine(secret, got.headers, got.body)
    assert got.message["type"] == "test"
    assert got.message["project"]["name"] == visitor.project
    if look == "no JavaScript":
        wait_until(lambda: page.reload() and page.get_by_text("thank you").count(), 30)
    # else the page looks by itself
    row = page.get_by_role("row", name="This is a test of the webhook ops")
    expect(row).to_contain_text("200")
    expect(row).to_contain_text("thank you")
    assert page_faults(page) == []
    page.goto(f"/dashboard/news?project={visitor.project_id}")
    expect(page.get_by_role("main")).to_contain_text("This is a test of the webhook ops")
    assert page_faults(page) == []


@pytest.mark.parametrize("look", ["light", "phone"])
def test_an_address_that_is_not_allowed_is_told_beside_its_field(new_page: NewPage, visitor: Visitor, look: str):
    page = new_page(look, expected="status of 400")
    visitor.enter(page)
    page.goto(f"/dashboard/webhooks?project={visitor.project_id}")
    page.get_by_label("Name").fill("ops")
    page.get_by_label("Address").fill("https://user:pw@example.com/")
    page.get_by_role("button", name="Add webhook").click()
    expect(page.get_by_label("Address")).to_have_attribute("aria-invalid", "true")
    expect(page.locator("#address-error")).to_contain_text("No user name or password")


@pytest.mark.parametrize("page", ["light", "phone"], indirect=True)
def test_a_webhook_that_fails_says_so_and_is_deleted_in_two_steps(page: Page, visitor: Visitor, receiver: Receiver):
    receiver.status, receiver.answer = 500, b"x" * 300
    add_webhook(page, visitor, receiver)
    page.get_by_role("button", name="Send a test").click()
    expect(page.get_by_role("row", name="This is a test")).to_contain_text("Failing")
    expect(page.locator("#facts")).to_contain_text("Failing")
    assert page_faults(page) == []
    page.locator("summary", has_text="Replace the secret").click()
    page.get_by_role("button", name="Yes, replace it").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("The new secret")
    page.get_by_role("link", name="To the webhook").click()
    page.locator("summary", has_text="Delete").click()
    page.get_by_role("button", name="Yes, delete it").click()
    expect(page.get_by_role("status").first).to_contain_text("is deleted")
    expect(page.get_by_role("main")).to_contain_text("No webhook yet")


@pytest.mark.parametrize("page", ["light", "dark", "phone", "no JavaScript"], indirect=True)
def test_an_admin_sets_a_budget_and_when_silence_is_news(page: Page, visitor: Visitor):
    visitor.enter(page)
    page.goto(f"/dashboard/budgets?project={visitor.project_id}")
    page.get_by_label("US dollars a month").fill("250")
    page.get_by_role("button", name="Set", exact=True).click()
    expect(page.get_by_role("row", name="The whole project")).to_contain_text("$250")
    page.get_by_label("Minutes").fill("45")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("status").first).to_contain_text("Saved")
    expect(page.get_by_label("Minutes")).to_have_value("45")
    assert page_faults(page) == []
    page.get_by_role("button", name="Take away the budget of the whole project").click()
    expect(page.get_by_role("main")).to_contain_text("No budget yet")
    assert page_faults(page) == []

"""A real Chromium before the real service. Whatever goes wrong in the page fails the test that opened it."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from app.local.children import Guard
from app.local.redis_server import RunningRedis
from tests.browser.chromium import LOOKS, NO_CHROMIUM, find_chromium, launch
from tests.browser.visitors import Visitor, new_visitor
from tests.browser.watch import Watch
from tests.databases import empty_redis, empty_tables
from tests.processes import app_environment, start_process

TIMEOUT_MS = 30_000
"""Of one step; on a busy machine the script of the charts alone takes longer than Playwright's five seconds."""

expect.set_options(timeout=TIMEOUT_MS)

NewPage = Callable[..., Page]


@pytest.fixture(scope="session")
def browser(pytestconfig: pytest.Config) -> Iterator[Browser]:
    """One for all tests; each page gets a context of its own."""
    program = find_chromium()
    if program is None:
        if pytestconfig.getoption("--require-browser"):
            pytest.fail(NO_CHROMIUM)
        pytest.skip(NO_CHROMIUM)
    with sync_playwright() as playwright:
        browser = launch(playwright, program)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def empty_servers(redis_server: RunningRedis, database_url: str) -> dict[str, str]:
    """The settings that lead to the servers of the tests, with nothing in them, whatever tests before did."""
    empty_tables(database_url)
    empty_redis(redis_server.url)
    return app_environment(database_url, redis_server.url)


@pytest.fixture(scope="module")
def service(
    browser: Browser, empty_servers: dict[str, str], web: str, guard: Guard, server_folder: Path
) -> Iterator[str]:
    """The URL of web, with a worker beside it. The browser comes first: where it is missing, nothing is started."""
    worker = start_process("worker", guard, server_folder, empty_servers)
    yield web
    worker.stop()


@pytest.fixture
def new_page(browser: Browser, service: str) -> Iterator[NewPage]:
    """Opens a page in a context of its own: new_page("dark"). Its test fails where the page complains.

    new_page("light", expected="status of 404") lets pass what has these words in it.
    """
    watches = []
    contexts = []

    def open_one(look: str = "light", *, expected: str | None = None) -> Page:
        context = browser.new_context(base_url=service, reduced_motion="reduce", **LOOKS[look])
        context.set_default_timeout(TIMEOUT_MS)
        contexts.append(context)
        watches.append(Watch(context, service, expected=expected))
        return context.new_page()

    yield open_one
    for context in contexts:
        context.close()
    problems = [problem for watch in watches for problem in watch.problems]
    assert problems == []


@pytest.fixture
def page(new_page: NewPage, request: pytest.FixtureRequest) -> Page:
    """A page as most people see it, or as the test's parameter says: parametrize("page", ["dark"], indirect=True)."""
    return new_page(getattr(request, "param", "light"))


@pytest.fixture
def visitor(service: str, database_url: str) -> Visitor:
    """An admin of a new project: visitor.sign_in(page), or visitor.enter(page) to be signed in already."""
    return new_visitor(service, database_url)

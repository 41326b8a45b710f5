"""Every check, alert and message that names an entry of the runbook finds it, and every entry is complete."""

import re
from http import HTTPStatus
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from app.commands.status import ENTRIES
from app.core import errors
from app.core.runbook import entry_for
from app.local.children import REPOSITORY
from app.web.envelope import code_of
from app.web.gunicorn_worker import MALFORMED_STATUSES
from app.web.pages.system.facts import CHECKS, REFUSAL_MEANINGS
from tests.runbook_entries import PARTS, RUNBOOK, Entry, entries

LINK = re.compile(r"runbook(?:\.md)?#([a-z0-9_]+)")
CALLED = re.compile(r'runbook_(?:entry|path)\("([a-z0-9_]+)"\)')


def links_from_outside() -> set[str]:
    """What the software and the other documents point to; a failing check points to the entry of its name."""
    paths = [*REPOSITORY.glob("app/**/*.*"), *REPOSITORY.glob("worker/*.py"), *REPOSITORY.glob("ops/*")]
    paths += [REPOSITORY / "README.md", *(path for path in REPOSITORY.glob("docs/*.md") if path != RUNBOOK)]
    found = {*CHECKS, *ENTRIES.values()}
    for path in paths:
        if path.suffix in {".py", ".html", ".yaml", ".md"}:
            found |= {*LINK.findall(path.read_text()), *CALLED.findall(path.read_text())}
    errors_of_ours = [each for each in vars(errors).values() if isinstance(each, type)]
    return found | {LINK.findall(entry_for(each("")))[0] for each in errors_of_ours}


def test_what_links_to_the_runbook_finds_its_entry() -> None:
    assert links_from_outside() <= set(entries())


def test_what_leads_to_the_page_of_the_runbook_finds_its_anchor(client: FlaskClient) -> None:
    anchors = set(re.findall(r'<h2 id="([^"]+)">', client.get("/docs/runbook").text))
    assert links_from_outside() | set(entries()) <= anchors


def test_every_entry_is_linked_from_somewhere() -> None:
    within = set(re.findall(r"\]\(#([a-z0-9_]+)\)", RUNBOOK.read_text()))
    assert within <= set(entries())
    assert set(entries()) - within - links_from_outside() == set()


def test_every_check_has_an_entry() -> None:
    assert set(CHECKS) <= set(entries())


@pytest.mark.parametrize("code", REFUSAL_MEANINGS)
def test_every_code_of_the_system_page_is_in_the_entry_of_refusals(code: str) -> None:
    assert f"`{code}`" in entries()["refusals"].parts["Means"]


@pytest.mark.parametrize(
    "status", [*MALFORMED_STATUSES.values(), HTTPStatus.BAD_REQUEST, HTTPStatus.INTERNAL_SERVER_ERROR]
)
def test_what_is_refused_before_the_application_sees_it_has_a_meaning_on_the_system_page(status: HTTPStatus) -> None:
    assert code_of(status) in REFUSAL_MEANINGS


@pytest.mark.parametrize("entry", entries().values(), ids=entries())
def test_an_entry_says_how_it_shows_what_it_means_what_to_do_and_what_is_lost(entry: Entry) -> None:
    assert tuple(entry.parts) == PARTS
    assert entry.blocks


@pytest.mark.parametrize("name", entries())
def test_an_entry_is_followed_by_a_test(name: str) -> None:
    tests = "".join(path.read_text() for path in Path(__file__).parent.glob("test_*.py"))
    assert re.search(rf'\.follow\(\s*"{name}"', tests)

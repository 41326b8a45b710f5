"""The checks that other tests put their pages to find what is wrong."""

from playwright.sync_api import Page

from tests.browser.page_faults import page_faults

GOOD = """
<!doctype html><html lang="en"><title>Good</title><main><h1>Good</h1>
<label>Name <input></label><button>Save</button><svg aria-hidden="true"></svg>
<table><tr><th scope="col">Cost</th></tr></table></main>
"""
BAD = """
<!doctype html><main style="width: 3000px"><h1>One</h1><h1>Two</h1>
<input><button> </button><img src="data:,"><svg></svg><table><tr><th>Cost</th></tr></table>
<p id="same" style="color: #999">pale</p><p id="same">dark</p></main>
"""
FAULTS = (
    "the page has no language",
    "the page has no title",
    "there is not exactly one h1",
    "without a label: <input>",
    "without a name: <button>",
    "without an alternative: <img",
    "neither named nor hidden: <svg>",
    "without a scope: <th>",
    "id twice: same",
    "wider than the window: ",
    "contrast 2.85 < 4.5: <p",
)


def test_a_good_page_has_no_faults(page: Page):
    page.set_content(GOOD)
    assert page_faults(page) == []


def test_every_fault_of_a_bad_page_is_found(page: Page):
    page.set_content(BAD)
    found = page_faults(page)
    assert [fault for fault in FAULTS if not any(each.startswith(fault) for each in found)] == []
    assert len(found) == len(FAULTS)

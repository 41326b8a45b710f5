"""/docs: Swagger UI with our document, and nothing from anywhere else."""

import re
from urllib.parse import urljoin

import httpx
import pytest

from app.web.assets import DOCS_ASSETS

TYPES = {"js": "text/javascript", "css": "text/css", "png": "image/png"}


@pytest.fixture
def page(web: str) -> httpx.Response:
    return httpx.get(f"{web}/docs")


def test_it_is_a_page_of_html_without_a_key(page: httpx.Response) -> None:
    assert (page.status_code, page.headers["Content-Type"]) == (200, "text/html; charset=utf-8")


def test_everything_that_it_loads_is_here(web: str, page: httpx.Response) -> None:
    loaded = re.findall(r'<(?:script|link)\b[^>]*\b(?:src|href)="([^"]+)"', page.text)
    assert {name.removeprefix("docs/") for name in loaded} == set(DOCS_ASSETS)
    for name in loaded:
        answer = httpx.get(urljoin(f"{web}/docs", name))
        assert (answer.status_code, answer.headers["X-Content-Type-Options"]) == (200, "nosniff")
        assert answer.headers["Content-Type"].startswith(TYPES[name.rpartition(".")[2]])
        assert answer.content


def test_it_shows_the_document_of_this_server(web: str) -> None:
    script = httpx.get(f"{web}/docs/start.js").text
    (url,) = re.findall(r'\burl: "([^"]+)"', script)
    assert httpx.get(urljoin(f"{web}/docs", url)).json()["openapi"]


def test_its_policy_lets_the_browser_load_from_nowhere_else(page: httpx.Response) -> None:
    policy = dict(rule.split(" ", 1) for rule in page.headers["Content-Security-Policy"].split("; "))
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["connect-src"] == "'self'"
    assert "://" not in page.text


def test_it_has_no_script_in_the_page(page: httpx.Response) -> None:
    assert re.findall(r"<script\b[^>]*>([^<]+)</script>", page.text) == []


@pytest.mark.parametrize(
    "name", ["swagger-ui.js", "index.html", "..%2findex.html", "..%2f..%2f__init__.py", "%00", "a/b"]
)
def test_it_serves_no_other_file(web: str, name: str) -> None:
    answer = httpx.get(f"{web}/docs/{name}")
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "NOT_FOUND")

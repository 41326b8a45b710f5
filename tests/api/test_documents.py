"""The documents of docs/ as pages: for everybody, at every host, and whatever is down."""

import re
import subprocess
import sys
from collections.abc import Mapping
from functools import cache
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from app.local.children import REPOSITORY
from app.web.application import create_app
from app.web.pages.documents import views
from app.web.pages.documents.views import DOCUMENTS
from app.web.pages.layout.rendering import SECURITY_HEADERS
from config.settings import load_settings
from tests.processes import SECRET_KEY

NOBODY = "127.0.0.1:1"
WITHOUT_SERVERS = {
    "DATABASE_URL": f"postgres://{NOBODY}/pa",
    "REDIS_URL": f"redis://{NOBODY}",
    "SECRET_KEY": SECRET_KEY,
    "PUBLIC_URL": "https://analytics.example.org",
}


@cache
def client() -> FlaskClient:
    """Of a web process that reaches no server, and is asked by another name than its own."""
    return create_app(load_settings(WITHOUT_SERVERS)).test_client()


def get(path: str, headers: Mapping[str, str] | None = None) -> TestResponse:
    return client().get(path, headers=headers or {"Host": "10.0.0.7:8000"})


@pytest.mark.parametrize("name", DOCUMENTS)
def test_it_is_a_page_for_everybody_while_no_server_answers(name: str) -> None:
    answer = get(f"/docs/{name}")
    assert (answer.status_code, answer.content_type) == (200, "text/html; charset=utf-8")
    assert dict(answer.headers).items() >= SECURITY_HEADERS.items()
    assert "Set-Cookie" not in answer.headers
    assert answer.headers["Vary"] == "Accept-Encoding"
    (title,) = re.findall(r"<h1>(.*?)</h1>", answer.text)
    assert (REPOSITORY / "docs" / f"{name}.md").read_text().startswith(f"# {title}\n")


@pytest.mark.parametrize("name", DOCUMENTS)
def test_it_is_the_same_for_whoever_is_signed_in_and_is_not_sent_twice(name: str) -> None:
    first = get(f"/docs/{name}")
    assert get(f"/docs/{name}?project=1", {"Cookie": "session=x; __Host-session=x"}).data == first.data
    again = get(f"/docs/{name}", {"If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.data) == (304, b"")


@pytest.mark.parametrize("name", DOCUMENTS)
def test_its_links_within_the_service_lead_somewhere(name: str) -> None:
    text = get(f"/docs/{name}").text
    links = set(re.findall(r'<a [^>]*href="([^"]+)"', text)) - {"/"}
    assert {f"/docs/{other}" for other in DOCUMENTS} <= links
    for link in links:
        if link.startswith("https://"):
            continue
        path, _, anchor = link.partition("#")
        answer = get(path or f"/docs/{name}")
        assert answer.status_code == 200, link
        assert not anchor or re.search(rf'id="{re.escape(anchor)}"', answer.text), link


def test_the_documentation_of_the_api_leads_to_them() -> None:
    links = re.findall(r'<a href="([^"]+)"', get("/docs").text)
    assert {f"docs/{name}" for name in DOCUMENTS} <= set(links)


def test_nothing_else_of_the_folder_is_served() -> None:
    for name in ("architecture", "decisions", "proof", "runbook.md", "Runbook", "..%2fREADME"):
        assert get(f"/docs/{name}").status_code == 404, name


def test_a_deploy_without_the_folder_has_no_such_pages(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(views, "_FOLDER", tmp_path)
    assert get("/docs/runbook").status_code == 404


def test_they_are_found_wherever_web_is_started_and_loaded_by_who_asks(tmp_path: Path) -> None:
    code = (
        "import sys; from app.web.application import create_app; from config.settings import load_settings;"
        f"client = create_app(load_settings({WITHOUT_SERVERS!r})).test_client();"
        "client.get('/healthz'); before = 'markdown_it' in sys.modules;"
        "print(before, client.get('/docs/runbook').status_code, 'markdown_it' in sys.modules)"
    )
    environment = {"PYTHONPATH": str(REPOSITORY)}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["False", "200", "True"]

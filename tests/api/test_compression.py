"""What leaves compressed, what never does, and what a refresh costs that finds nothing new."""

import gzip
import hashlib
import re
import zlib
from datetime import timedelta

import httpx
import psycopg
import pytest
from flask import Flask

from app.web.application import create_app
from app.web.assets import ASSETS, DOCS_ASSETS, asset_url
from app.web.compression import compressed
from config.settings import load_settings
from tests.api_keys import create_key
from tests.sign_in import signed_in_client, submit
from tests.stored_events import PROMPT, an_event, store_events
from tests.waiting import wait_until

GZIP = {"Accept-Encoding": "gzip"}
PLAIN = {"Accept-Encoding": "identity"}
API = "/api/v1/prompts/analytics"
LARGEST_REFRESH_BYTES = 1_024
LARGEST_PAGE_BYTES = 40_960

pytestmark = pytest.mark.usefixtures("clean_redis")


@pytest.fixture
def events(database_url: str, project_id: int) -> None:
    """Enough of them that every answer is worth compressing."""
    store_events(database_url, [an_event(project_id, timedelta(minutes=10 * number)) for number in range(1, 60)])


def received(client: httpx.Client, path: str, headers: dict[str, str], **options: str) -> tuple[httpx.Response, bytes]:
    """The answer, and the bytes of its body as they came over the wire."""
    with client.stream("GET", path, headers=headers, params=options) as answer:
        return answer, b"".join(answer.iter_raw())


@pytest.mark.parametrize(
    "path",
    ["/dashboard", f"/dashboard/prompts/{PROMPT}", "/dashboard/api-keys", "/dashboard/events.csv", "/docs/runbook"],
)
def test_pages_and_downloads_leave_compressed_and_say_the_same(member: httpx.Client, events: None, path: str):
    answer, body = received(member, path, GZIP, project="1")
    assert answer.headers["Content-Encoding"] == "gzip"
    assert "Accept-Encoding" in answer.headers["Vary"]
    plain, text = received(member, path, PLAIN, project="1")
    assert "Content-Encoding" not in plain.headers
    assert "Accept-Encoding" in plain.headers["Vary"]
    assert len(body) < len(text) / 2
    assert without_what_changes(gzip.decompress(body)) == without_what_changes(text)


def without_what_changes(page: bytes) -> bytes:
    """Of each request: tokens against forgery, and when things were."""
    return re.sub(rb'name="csrf_token" value="[^"]+"|data-tag="\w+"|\d+.min.ago|just now', b"", page)


def test_the_read_api_leaves_compressed_to_who_takes_it(web: str, database_url: str, events: None):
    key = {"Authorization": f"Bearer {create_key(database_url, project='p', scopes=['read'])}"}
    with httpx.Client(base_url=web, headers=key) as client:
        answer, body = received(client, API, GZIP)
        assert answer.headers["Content-Encoding"] == "gzip"
        assert gzip.decompress(body).startswith(b'{"success":true')
        assert "Content-Encoding" not in received(client, API, PLAIN)[0].headers


@pytest.mark.parametrize("path", [API, f"{API}/batch"])
@pytest.mark.parametrize("body", [{}, {"events": [{}] * 50}, {"prompt_id": str(PROMPT), "version_hash": "v"}])
def test_the_way_of_events_has_no_part_in_it(client: httpx.Client, path: str, body: dict[str, object]):
    answer = client.post(path, json=body, headers=GZIP)
    assert answer.status_code in {204, 400}
    assert not {"content-encoding", "vary"} & set(answer.headers)


def test_no_hook_of_the_whole_service_compresses():
    settings = {"DATABASE_URL": "postgres://127.0.0.1:1/x", "REDIS_URL": "redis://127.0.0.1:1", "SECRET_KEY": "s" * 32}
    app: Flask = create_app(load_settings(settings))
    hooked = {name for name, hooks in app.after_request_funcs.items() if compressed in hooks}
    assert hooked >= {"usage", "comparison", "pages_dashboard", "pages_raw_events"}
    assert not {None, "ingest"} & hooked


def test_what_is_shown_once_is_not_compressed(web: str, database_url: str, project_id: int):
    with signed_in_client(web, database_url) as admin:
        form = {"name": "ci", "ingest": "y", "expiry": "never", "unit": "minute"}
        answer = submit(admin, "/dashboard/api-keys?project=1", form)
    assert "eg_live_" in answer.text
    assert "Content-Encoding" not in answer.headers


@pytest.mark.parametrize("length", ["24h", "7d", "30d"])
def test_the_page_of_200_versions_is_no_more_than_40_kb(
    member: httpx.Client, database_url: str, *, project_id: int, length: str
):
    hashes = [hashlib.sha256(str(number).encode()).hexdigest() for number in range(200)]
    events = [
        an_event(
            project_id,
            timedelta(minutes=6 * number + minutes),
            version=version,
            latency_ms=str(700 + 3 * number + minutes),
            cost_usd=f"0.00{4_000 + 7 * number + minutes}",
            score=f"0.{700 + number}",
        )
        for number, version in enumerate(hashes)
        for minutes in (1, 60, 150)
    ]
    store_events(database_url, events)
    answer, body = received(member, f"/dashboard/prompts/{PROMPT}", GZIP, project="1", range=length)
    assert answer.status_code == 200
    assert len(body) <= LARGEST_PAGE_BYTES
    assert b'<h2 id="versions-heading">Versions <span class="muted">200</span>' in gzip.decompress(body)


@pytest.mark.parametrize("path", [*map(asset_url, ASSETS), *(f"/docs/{name}" for name in DOCS_ASSETS), "/openapi.json"])
def test_files_are_compressed_once_and_known_again(web: str, path: str):
    with httpx.Client(base_url=web) as client:
        tags = []
        for headers in (GZIP, PLAIN):
            answer, body = received(client, path, headers)
            assert ("Content-Encoding" in answer.headers) == (headers is GZIP)
            assert answer.headers["Vary"] == "Accept-Encoding"
            tags.append(answer.headers["ETag"])
            again, nothing = received(client, path, {**headers, "If-None-Match": tags[-1]})
            assert (again.status_code, nothing) == (304, b"")
            assert len(zlib.decompress(body, 31) if headers is GZIP else body) > 0
    # a strong tag stands for the very bytes
    assert tags[0] != tags[1]
    assert not any(tag.startswith("W/") for tag in tags)


@pytest.mark.parametrize("path", ["/dashboard", f"/dashboard/prompts/{PROMPT}", "/dashboard/news", "/dashboard/health"])
def test_a_refresh_that_finds_nothing_new_costs_less_than_a_kilobyte(member: httpx.Client, events: None, path: str):
    first, again, body = refreshed(member, path)
    if again.status_code == 200:
        # a page tells minutes: at the turn of one it has changed
        first, again, body = refreshed(member, path)
    assert (again.status_code, body) == (304, b"")
    size = len(b"HTTP/1.1 304 Not Modified\r\n") + sum(len(name) + len(value) + 4 for name, value in again.headers.raw)
    assert size + 2 <= LARGEST_REFRESH_BYTES
    assert again.headers["Content-Security-Policy"] == first.headers["Content-Security-Policy"]


def refreshed(client: httpx.Client, path: str) -> tuple[httpx.Response, httpx.Response, bytes]:
    first, _ = received(client, path, GZIP, project="1")
    return first, *received(client, path, {**GZIP, "If-None-Match": first.headers["ETag"]}, project="1")


@pytest.mark.parametrize(
    ("path", "new_each_time"),
    [("/dashboard", r'name="once" value="\w+"'), ("/dashboard/refusals", r"As of [\d:]+ UTC")],
)
def test_what_is_new_in_every_page_makes_no_other_one_of_it(
    web: str, database_url: str, project_id: int, *, path: str, new_each_time: str
):
    with signed_in_client(web, database_url) as admin:
        query = {"project": str(project_id)}

        def seen() -> tuple[str, str]:
            answer = admin.get(path, params=query)
            found = re.search(new_each_time, answer.text)
            assert found is not None
            return found[0], answer.headers["ETag"]

        def are_the_same() -> bool:
            new, tag = seen()
            wait_until(lambda: seen()[0] != new)
            again = admin.get(path, params=query, headers={"If-None-Match": tag})
            return (again.status_code, again.content) == (304, b"")

        # a page tells minutes: at the turn of one it has changed
        wait_until(are_the_same)


def test_a_refresh_after_something_new_brings_the_page(
    member: httpx.Client, database_url: str, *, events: None, project_id: int
):
    first, body = received(member, "/dashboard", PLAIN, project="1")
    tag = first.headers["ETag"]
    assert f'<body data-tag="{tag.removeprefix("W/").strip(chr(34))}">'.encode() in body
    store_events(database_url, [an_event(project_id)])
    again, body = received(member, "/dashboard", {**PLAIN, "If-None-Match": tag}, project="1")
    assert again.status_code == 200
    assert b'<span class="figure-value">60</span>' in body
    # also what is not in the middle of the page, such as the role
    with psycopg.connect(database_url) as connection:
        connection.execute("UPDATE memberships SET role = 'admin'")
    changed, _ = received(member, "/dashboard", {**PLAIN, "If-None-Match": again.headers["ETag"]}, project="1")
    assert changed.status_code == 200


def test_pages_that_failed_or_changed_something_have_no_tag(member: httpx.Client):
    assert "ETag" not in member.get("/dashboard?project=1&range=x").headers
    assert "ETag" not in member.get("/dashboard/nothing").headers

"""What every page tells the browser, and what routes of the API do not."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from flask import Flask

from app.web.application import create_app
from app.web.assets import ASSETS, asset_url
from app.web.threads import THREADS, run_in_thread
from config.settings import load_settings
from tests.page_routes import SAFE_METHODS, PageRoute, page_routes
from tests.sign_in import signed_in_client

pytestmark = pytest.mark.usefixtures("clean_redis", "clean_database")


@pytest.fixture(scope="module")
def app(database_url: str, redis_url: str) -> Flask:
    return create_app(load_settings({"DATABASE_URL": database_url, "REDIS_URL": redis_url, "SECRET_KEY": "s" * 32}))


@pytest.fixture(scope="module")
def routes(app: Flask) -> list[PageRoute]:
    return page_routes(app)


@pytest.fixture
def admin(clean_database: None, web: str, database_url: str) -> Iterator[httpx.Client]:
    with signed_in_client(web, database_url) as client:
        yield client


def test_every_answer_of_every_page_keeps_others_out(admin: httpx.Client, web: str, routes: list[PageRoute]):
    with httpx.Client(base_url=web) as anyone:
        for route in routes:
            query = {"project": "1"} if route.is_of_a_project else {}
            for client in (admin, anyone):
                check(client.request(route.method, route.path, params=query, follow_redirects=False))


@pytest.mark.parametrize("path", ["/dashboard/nothing", "/login/", "/account/x", "/dashboard?project=x"])
def test_errors_are_pages_with_the_same_headers(admin: httpx.Client, path: str):
    answer = admin.get(path)
    check(answer)
    assert (answer.status_code, answer.headers["Content-Type"]) == (404, "text/html; charset=utf-8")
    assert "There is nothing here" in answer.text


def test_a_wrong_method_is_a_page_too(admin: httpx.Client):
    answer = admin.put("/login")
    check(answer)
    assert answer.status_code == 405
    assert "POST" in answer.headers["Allow"]


def check(answer: httpx.Response) -> None:
    policy = dict(part.split(" ", 1) for part in answer.headers["Content-Security-Policy"].split("; "))
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["connect-src"] == policy["form-action"] == "'self'"
    assert policy["frame-ancestors"] == policy["base-uri"] == "'none'"
    assert "unsafe" not in answer.headers["Content-Security-Policy"]
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["Referrer-Policy"] == "same-origin"
    assert answer.headers["Cross-Origin-Opener-Policy"] == "same-origin"


def test_pages_have_no_script_and_no_style_of_their_own(admin: httpx.Client, routes: list[PageRoute]):
    for route in routes:
        if route.method in SAFE_METHODS:
            text = admin.get(route.path).text
            assert "<style" not in text, route
            assert " style=" not in text, route
            assert " onclick=" not in text, route
            for script in text.split("<script")[1:]:
                assert 'src="/assets/' in script.split(">")[0] or 'type="application/json"' in script.split(">")[0], (
                    route
                )


def test_assets_are_kept_for_ever_under_their_hash_and_not_at_all_under_another(web: str):
    for name in ASSETS:
        answer = httpx.get(web + asset_url(name))
        assert answer.status_code == 200
        assert answer.headers["Cache-Control"] == "public, max-age=31536000, immutable"
        assert answer.headers["Content-Encoding"] == "gzip"
        assert answer.content == ASSETS[name].read_bytes()
        plain = httpx.get(web + asset_url(name), headers={"Accept-Encoding": "identity"})
        assert "Content-Encoding" not in plain.headers
        assert plain.content == ASSETS[name].read_bytes()
        assert httpx.get(f"{web}/assets/0000000000000000/{name}").headers["Cache-Control"] == "no-store"


def test_a_stylesheet_does_not_wait_while_passwords_are_hashed(app: Flask):
    release, hashing = threading.Event(), threading.Barrier(THREADS + 1)

    def hash_for_long() -> None:
        hashing.wait()
        release.wait()

    def ask() -> int:
        return app.test_client().get(asset_url("app.css")).status_code

    assert ask() == 200
    with ThreadPoolExecutor(THREADS + 1) as pool:
        for _ in range(THREADS):
            pool.submit(run_in_thread, hash_for_long)
        hashing.wait()
        try:
            assert pool.submit(ask).result(timeout=10) == 200
        finally:
            release.set()


def test_what_is_not_on_the_list_is_no_asset(web: str):
    for path in ("/assets/x/assets.py", "/assets/x/..%2Fassets.py", "/assets/x/", "/assets/x"):
        assert httpx.get(web + path).status_code == 404


def test_the_api_opens_no_session_and_sets_no_cookie(admin: httpx.Client):
    for path in ("/api/v1/prompts/analytics", "/healthz", "/openapi.json", "/docs"):
        answer = admin.get(path)
        assert "Set-Cookie" not in answer.headers
        assert "Cookie" not in answer.headers.get("Vary", "")

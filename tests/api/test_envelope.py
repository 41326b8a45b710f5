"""Every error leaves in the envelope, and every answer carries its request's id."""

import time

import httpx
import pytest
from flask import Flask
from flask.testing import FlaskClient

from app.core.keys.api_key import mint_key
from app.web.application import create_app
from config.settings import load_settings
from tests.raw_http import RawConnection

PATH = "/api/v1/prompts/analytics"
A_KEY = "eg_live_" + "x" * 38


@pytest.fixture
def failing_client(database_url: str, redis_url: str, clean_redis: None, fast_paths: str) -> FlaskClient:
    """An app with a view that fails in a way nobody foresaw."""
    settings = {"DATABASE_URL": database_url, "REDIS_URL": redis_url, "SECRET_KEY": "s" * 32, "FAST_PATHS": fast_paths}
    app: Flask = create_app(load_settings(settings))

    @app.get("/fails")
    def fails() -> str:
        raise ZeroDivisionError("a secret in a message")

    return app.test_client()


def test_an_unknown_path_is_not_found(web: str) -> None:
    for path in ("/nothing", f"{PATH}/", "/api/v1//prompts/analytics", "/static/x", "/%00"):
        answer = httpx.get(web + path)
        assert (answer.status_code, answer.json()["error"]["code"]) == (404, "NOT_FOUND"), path
        assert answer.json()["success"] is False


def test_a_wrong_method_is_told_which_are_right(web: str) -> None:
    for method in ("PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"):
        answer = httpx.request(method, web + PATH)
        assert (answer.status_code, answer.json()["error"]["code"]) == (405, "METHOD_NOT_ALLOWED")
        assert "POST" in answer.headers["Allow"]


def test_no_answer_lets_pages_of_other_hosts_in(web: str) -> None:
    asked = {"Origin": "https://other.example", "Access-Control-Request-Method": "POST"}
    for method, path in (("OPTIONS", PATH), ("POST", PATH), ("GET", PATH), ("GET", "/openapi.json"), ("GET", "/login")):
        headers = httpx.request(method, web + path, headers=asked).headers
        assert not any(name.lower().startswith("access-control-") for name in headers)


def test_a_path_that_was_found_before_is_found_by_its_method_only(failing_client: FlaskClient) -> None:
    for _ in range(3):
        assert failing_client.get("/healthz").status_code == 200
        wrong = failing_client.post("/healthz")
        assert (wrong.status_code, set(wrong.headers["Allow"].split(", "))) == (405, {"GET", "HEAD"})
        assert failing_client.get("/healthz/").status_code == 404
        assert [failing_client.get(f"{PATH}/{name}").get_json()["error"]["code"] for name in "ab"] == [
            "UNAUTHORIZED",
            "UNAUTHORIZED",
        ]
        assert failing_client.get(PATH).status_code == 401
        assert failing_client.post(PATH).status_code == 401
    with failing_client.application.test_request_context("/healthz") as context:
        assert context.url_adapter is not None
        assert set(context.url_adapter.allowed_methods()) == {"GET", "HEAD"}


def test_an_unforeseen_failure_is_a_500_that_tells_nothing(
    failing_client: FlaskClient, caplog: pytest.LogCaptureFixture
) -> None:
    answer = failing_client.get("/fails", headers={"X-Request-Id": "my-id"})
    assert (answer.status_code, answer.get_json()["error"]["code"]) == (500, "INTERNAL_ERROR")
    assert answer.get_json()["error"]["requestId"] == answer.headers["X-Request-Id"] == "my-id"
    assert "secret" not in answer.text
    assert "ZeroDivisionError" in caplog.text


def test_an_outage_is_logged_once_a_second_and_not_for_each_request(
    database_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    settings = {"DATABASE_URL": database_url, "REDIS_URL": "redis://127.0.0.1:1", "SECRET_KEY": "s" * 32}
    client = create_app(load_settings(settings)).test_client()
    headers = {"Authorization": f"Bearer {mint_key()}"}
    started = time.monotonic()
    assert {client.post(PATH, headers=headers).status_code for _ in range(50)} == {503}
    logged = [record for record in caplog.records if "did not answer" in record.getMessage()]
    assert 1 <= len(logged) <= 1 + time.monotonic() - started


@pytest.mark.parametrize("request_id", ["a", "A.b_c-9", "x" * 64])
def test_the_callers_request_id_comes_back(web: str, request_id: str) -> None:
    answer = httpx.get(f"{web}/nothing", headers={"X-Request-Id": request_id})
    assert answer.headers["X-Request-Id"] == answer.json()["error"]["requestId"] == request_id


@pytest.mark.parametrize(
    "request_id", ["", "x" * 65, A_KEY, f"for-{A_KEY}", "a b", "a,b", 'a"b', "<script>", "é".encode("latin-1")]
)
def test_a_request_id_of_another_form_is_replaced(web: str, request_id: str | bytes) -> None:
    value = request_id if isinstance(request_id, bytes) else request_id.encode()
    answer = httpx.get(f"{web}/nothing", headers=[(b"X-Request-Id", value)])
    assert len(answer.headers["X-Request-Id"]) == 32
    assert answer.headers["X-Request-Id"] == answer.json()["error"]["requestId"]


def test_answers_are_not_cached_and_not_sniffed(web: str) -> None:
    answer = httpx.post(web + PATH)
    assert (answer.headers["X-Content-Type-Options"], answer.headers["Cache-Control"]) == ("nosniff", "no-store")


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        (b"nonsense\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\n\r\n", 400),
        (b"GET / HTTP/9.9\r\n\r\n", 400),
        (b"GET / HTTP/1.1\nHost: a\n\n", 400),
        (b"GET / HTTP/1.1\r\nAuthorization Bearer eg_live_x\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nA: b\r\n c\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400),
        (b"GET /" + b"a" * 9_000 + b" HTTP/1.1\r\n\r\n", 414),
        (b"GET / HTTP/1.1\r\nA: " + b"a" * 9_000 + b"\r\n\r\n", 431),
        (b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * 500 + b"\r\n", 431),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400),
    ],
    ids=range(11),
)
def test_malformed_http_is_refused_in_the_envelope_too(web: str, request_bytes: bytes, status: int) -> None:
    with RawConnection(web) as connection:
        connection.send(request_bytes)
        answer = connection.receive()
        assert answer.status == status
        assert (answer.headers["content-type"], answer.headers["connection"]) == ("application/json", "close")
        assert answer.json["error"]["requestId"] == answer.headers["x-request-id"]
        assert b"eg_live_" not in answer.body
        assert connection.is_closed_by_server()

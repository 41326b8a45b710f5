"""What is known of HTTPS and of proxies in front: HSTS, and a warning in the log and on the system page."""

import logging

import pytest
from flask.testing import FlaskClient

from app.web.application import create_app
from config.settings import load_settings
from tests.processes import SECRET_KEY
from tests.sign_in import add_member, create_project, create_user, session_cookie
from tests.system_page import PAGE

pytestmark = pytest.mark.usefixtures("clean_redis", "clean_database")

HSTS = "Strict-Transport-Security"
FORWARDED = {"X-Forwarded-For": "203.0.113.9", "X-Forwarded-Proto": "https"}
PATHS = ("/login", "/docs", "/healthz", "/nowhere", "/dashboard/nothing")


@pytest.fixture
def environment(database_url: str, redis_url: str) -> dict[str, str]:
    return {"DATABASE_URL": database_url, "REDIS_URL": redis_url, "SECRET_KEY": SECRET_KEY}


def new_client(environment: dict[str, str], **settings: str) -> FlaskClient:
    return create_app(load_settings({**environment, **settings})).test_client()


def hsts(client: FlaskClient, headers: dict[str, str]) -> set[str | None]:
    return {client.get(path, headers=headers).headers.get(HSTS) for path in PATHS}


def test_browsers_are_told_to_keep_to_https_where_it_is_known(environment: dict[str, str]) -> None:
    a_year = {"max-age=31536000"}
    assert hsts(new_client(environment, TRUSTED_PROXY_COUNT="1"), FORWARDED) == a_year
    public = new_client(environment, PUBLIC_URL="https://analytics.example.org")
    assert hsts(public, {"Host": "analytics.example.org"}) == a_year


def test_the_sign_in_page_asks_for_https_where_it_is_not_known_that_browsers_use_it(
    environment: dict[str, str],
) -> None:
    headers = {"Host": "analytics.example.org"}
    for settings, is_asked in (({}, True), ({"PUBLIC_URL": "https://analytics.example.org"}, False)):
        asked = new_client(environment, **settings).get("/login", headers=headers)
        assert asked.status_code == 200
        assert ("Sign-in needs HTTPS" in asked.text) is is_asked


def test_nobody_is_told_so_where_it_is_not_known(environment: dict[str, str]) -> None:
    assert hsts(new_client(environment), FORWARDED) == {None}
    assert hsts(new_client(environment, TRUSTED_PROXY_COUNT="1"), {}) == {None}
    assert hsts(new_client(environment, PUBLIC_URL="http://localhost"), {}) == {None}


def warnings(caplog: pytest.LogCaptureFixture) -> list[logging.LogRecord]:
    return [record for record in caplog.records if "TRUSTED_PROXY_COUNT" in record.getMessage()]


@pytest.mark.parametrize("header", ["X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host", "Forwarded"])
def test_a_proxy_that_no_setting_knows_of_is_warned_of_once(
    environment: dict[str, str], caplog: pytest.LogCaptureFixture, header: str
) -> None:
    client = new_client(environment)
    client.get("/healthz")
    assert warnings(caplog) == []
    for _ in range(3):
        client.get("/healthz", headers={header: "planted"})
    (warning,) = warnings(caplog)
    assert "planted" not in warning.getMessage()
    assert warning.__dict__["see"] == "docs/runbook.md#unknown_proxy"


def test_a_proxy_that_is_known_is_not_warned_of(environment: dict[str, str], caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    new_client(environment, TRUSTED_PROXY_COUNT="1").get("/healthz", headers=FORWARDED)
    assert warnings(caplog) == []


def system_page(client: FlaskClient, database_url: str, user_id: int, headers: dict[str, str]) -> str:
    client.set_cookie("session", session_cookie(database_url, user_id))
    answer = client.get(PAGE, headers=headers, follow_redirects=True)
    assert answer.status_code == 200
    return answer.text


def test_the_system_page_tells_operators_of_a_proxy_that_no_setting_knows_of(
    environment: dict[str, str], database_url: str
) -> None:
    operator = create_user(database_url, "operator@example.com", is_operator=True)
    admin = create_user(database_url, "admin@example.com")
    add_member(database_url, create_project(database_url, "demo"), admin, "admin")
    by_proxy = {"X-Forwarded-For": "203.0.113.9"}
    client = new_client(environment)
    assert "TRUSTED_PROXY_COUNT" not in system_page(client, database_url, operator, {})
    told = system_page(client, database_url, operator, by_proxy)
    assert "TRUSTED_PROXY_COUNT" in told
    assert 'href="/docs/runbook#unknown_proxy"' in told
    assert "TRUSTED_PROXY_COUNT" in system_page(client, database_url, operator, {})
    assert "TRUSTED_PROXY_COUNT" not in system_page(client, database_url, admin, by_proxy)
    known = new_client(environment, TRUSTED_PROXY_COUNT="1")
    assert "TRUSTED_PROXY_COUNT" not in system_page(known, database_url, operator, by_proxy)

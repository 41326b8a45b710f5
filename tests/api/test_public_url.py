"""PUBLIC_URL: what is passed on to others names it, whatever Host a request says."""

from collections.abc import Iterator

import httpx
import pytest
from flask.testing import FlaskClient

from app.local.ports import free_port
from app.web.application import create_app
from config.settings import load_settings
from tests.api_keys import create_key
from tests.api_keys_page import create as create_key_on_page
from tests.conftest import StartProcess
from tests.page_routes import page_routes
from tests.processes import SECRET_KEY
from tests.raw_http import RawConnection
from tests.sign_in import signed_in_client, submit

API = "/api/v1/prompts/analytics"
PUBLIC = "https://analytics.example.org"
STRANGE = "evil.example"

pytestmark = pytest.mark.usefixtures("clean_redis", "clean_database")


@pytest.fixture
def environment(database_url: str, redis_url: str) -> dict[str, str]:
    return {"DATABASE_URL": database_url, "REDIS_URL": redis_url, "SECRET_KEY": SECRET_KEY}


@pytest.fixture
def public(environment: dict[str, str]) -> FlaskClient:
    return create_app(load_settings({**environment, "PUBLIC_URL": PUBLIC})).test_client()


@pytest.fixture
def url() -> str:
    return f"http://localhost:{free_port()}"


@pytest.fixture
def admin(start: StartProcess, database_url: str, url: str) -> Iterator[httpx.Client]:
    """Signed in at a web process that is `url` for the world, and that requests reach by another name, too."""
    process = start("web", public_url=url, port=url.rpartition(":")[2])
    with signed_in_client(process.url, database_url) as client:
        client.headers["Host"] = url.removeprefix("http://")
        yield client


def test_links_and_code_samples_name_it(admin: httpx.Client, url: str) -> None:
    invited = submit(admin, "/dashboard/members", {"email": "new@example.com", "role": "member"})
    assert f'id="invitation-link">{url}/login/link/' in invited.text
    made = create_key_on_page(admin)
    assert made.text.count(f"{url}{API}") == 3
    assert f"{url}{API}" in admin.get("/dashboard").text


def test_without_it_they_follow_the_host(web: str, database_url: str) -> None:
    with signed_in_client(web, database_url) as admin:
        assert create_key_on_page(admin).text.count(f"{web}{API}") == 3


def test_pages_are_refused_at_every_other_host(public: FlaskClient) -> None:
    routes = page_routes(public.application)
    for route in routes:
        answer = public.open(route.path, method=route.method, headers={"Host": STRANGE})
        assert answer.status_code == 421, route
        assert f"These pages are at {PUBLIC} only." in answer.text
        assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'")
        assert "Set-Cookie" not in answer.headers
        assert STRANGE not in answer.text


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost:8000", "analytics.example.org.evil.example", "", "a b"])
def test_hosts_that_are_nearly_it_are_strange_too(public: FlaskClient, host: str) -> None:
    assert public.get("/login", headers={"Host": host}).status_code in {400, 421}


@pytest.mark.parametrize("host", ["analytics.example.org", "analytics.example.org:443", "Analytics.Example.org"])
def test_pages_are_at_its_host_with_and_without_the_port(public: FlaskClient, host: str) -> None:
    assert public.get("/login", headers={"Host": host}).status_code == 200


def test_the_api_and_what_load_balancers_ask_answer_at_every_host(
    start: StartProcess, database_url: str, url: str
) -> None:
    process = start("web", public_url=url)
    headers = {"Host": STRANGE, "Authorization": f"Bearer {create_key(database_url)}"}
    event = {"prompt_id": "123e4567-e89b-12d3-a456-426614174000", "version_hash": "v"}
    with httpx.Client(base_url=process.url, headers=headers) as client:
        assert client.post(API, json=event).status_code == 204
        assert [client.get(path).status_code for path in ("/healthz", "/openapi.json", "/docs")] == [200] * 3
        assert client.get("/login").status_code == 421


def test_http_1_1_without_a_host_is_refused_and_http_1_0_is_not(web: str) -> None:
    for version, status in (("1.1", 400), ("1.0", 200)):
        with RawConnection(web) as connection:
            connection.send(f"GET /healthz HTTP/{version}\r\n\r\n".encode())
            answer = connection.receive()
            assert answer.status == status

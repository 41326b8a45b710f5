"""Secrets in every position of a request come to light nowhere: no log, error, key of Redis or row of PostgreSQL."""

import json
import re
from collections.abc import Callable, Iterator
from uuid import uuid4

import httpx
import psycopg
import pytest
import redis

from app.core.accounts.links import make_link_for
from app.core.accounts.passwords import hash_password
from app.core.keys.api_key import mint_key
from app.core.queries.audit_log import COMMAND_LINE
from app.core.stream.state import STREAM
from app.web.pages.access.session_cookie import SESSION_ID, session_serializer
from tests.api_keys import create_key
from tests.api_keys_page import create as create_key_on_page
from tests.api_keys_page import key_in
from tests.conftest import StartProcess
from tests.dumps import dump_postgres, dump_redis
from tests.processes import SECRET_KEY, AppProcess
from tests.raw_http import RawConnection
from tests.sign_in import add_member, create_project, create_user, csrf_token
from tests.waiting import wait_until

API = "/api/v1/prompts/analytics"
EMAIL = "ada@example.com"
PASSWORD = "correct-horse-battery"
EVENT = {"prompt_id": "123e4567-e89b-12d3-a456-426614174000", "version_hash": "v"}
METHODS_AND_PATHS = [
    *(("POST", API), ("POST", f"{API}/batch"), ("GET", API), ("GET", f"{API}/{EVENT['prompt_id']}"), ("PUT", API)),
    *(("GET", "/healthz"), ("GET", "/readyz"), ("GET", "/metrics"), ("GET", "/docs"), ("GET", "/nowhere")),
    *(("GET", "/login"), ("POST", "/login"), ("POST", "/logout"), ("GET", "/dashboard")),
    ("POST", "/dashboard/members"),
    *(("GET", "/dashboard/nowhere"), ("GET", "/login/link/x"), ("POST", "/dashboard/api-keys"), ("DELETE", "/login")),
]
HEADERS = (
    *("Authorization", "Cookie", "Idempotency-Key", "User-Agent", "Referer", "Origin", "X-Api-Key", "X-Forwarded-For"),
    *("X-Forwarded-Proto", "X-Forwarded-Host", "Forwarded", "Accept", "Accept-Encoding", "Content-Type"),
    *("Content-Encoding", "X-Csrftoken", "If-None-Match", "Proxy-Authorization", "X-Request-Id"),
)
MALFORMED = ("Authorization Bearer {0}", "Content-Length: {0}", "Transfer-Encoding: {0}", "Expect: {0}", "{0} : x")

pytestmark = pytest.mark.usefixtures("clean_redis", "clean_database")


class Planter:
    """Sends secrets, each its own, and keeps what was sent and what error answers said."""

    def __init__(self, client: httpx.Client, key: str) -> None:
        self._client = client
        self.url, self.key = str(client.base_url), key
        self.secrets: dict[str, str] = {}
        self.errors: list[str] = []

    def secret(self, position: str) -> str:
        """One that has no form by which anybody could tell it; an API key where those belong, or are echoed else."""
        as_key = position.startswith(("Authorization", "X-Request-Id"))
        self.secrets[position] = made = mint_key() if as_key else uuid4().hex
        return made

    def send(self, method: str, path: str, **request: object) -> httpx.Response:
        self._client.cookies.clear()
        answer = self._client.request(method, path, **request)  # type: ignore[arg-type]
        if answer.status_code >= 400:
            self.errors.append(f"{answer.headers} {answer.text}")
        return answer


@pytest.fixture
def processes(start: StartProcess) -> list[AppProcess]:
    return [start("web", log_level="debug", web_concurrency="1"), start("worker", log_level="debug")]


@pytest.fixture
def planter(processes: list[AppProcess], database_url: str) -> Iterator[Planter]:
    with httpx.Client(base_url=processes[0].url, timeout=15) as client:
        yield Planter(client, create_key(database_url, scopes=["ingest", "read"]))


@pytest.fixture
def everything(
    processes: list[AppProcess], planter: Planter, database_url: str, redis_client: redis.Redis, redis_url: str
) -> Callable[[], dict[str, str]]:
    """Calling it returns all places where a secret could have come to light, when the worker has stored the events."""

    def read() -> dict[str, str]:
        wait_until(lambda: redis_client.xlen(STREAM) == 0)
        return {
            "log of web": processes[0].log(),
            "log of worker": processes[1].log(),
            "Redis": dump_redis(redis_url),
            "PostgreSQL": dump_postgres(database_url),
            "error answers": "\n".join(planter.errors),
        }

    return read


def plant_in_headers(planter: Planter) -> None:
    for method, path in METHODS_AND_PATHS:
        good = {"Authorization": f"Bearer {planter.key}", "Content-Type": "application/json"}
        for name in HEADERS:
            headers = good | {name: planter.secret(f"{name} of {method} {path}")}
            planter.send(method, path, headers=headers, content=json.dumps(EVENT))


def plant_in_queries_and_cookies(planter: Planter) -> None:
    for method, path in METHODS_AND_PATHS:
        good = {"Authorization": f"Bearer {planter.key}", "Content-Type": "application/json"}
        for name in ("from", "api_key", "project", "next", "q"):
            planter.send(method, path, headers=good, params={name: planter.secret(f"query {name} of {path}")})
        for name in ("session", "__Host-session", "device", "x"):
            cookie = f"{name}={planter.secret(f'cookie {name} of {path}')}"
            planter.send(method, path, headers=good | {"Cookie": cookie})


def plant_in_bodies(planter: Planter) -> None:
    for path in (API, f"{API}/batch"):
        for name in ("prompt_id", "latency_ms", "cost_usd", "score", "timestamp", "password", "events"):
            planted = EVENT | {name: planter.secret(f"body {name} of {path}")}
            body = {"events": [planted]} if path.endswith("batch") and name != "events" else planted
            planter.send("POST", path, headers={"Authorization": f"Bearer {planter.key}"}, json=body)
        broken = planter.secret(f"broken body of {path}")
        headers = {"Authorization": f"Bearer {planter.key}", "Content-Type": "application/json"}
        planter.send("POST", path, headers=headers, content=f'{{"{broken}')
    for path in ("/login", "/logout", "/login/link/x", "/dashboard/members", "/dashboard/api-keys", "/account"):
        for name in ("email", "password", "csrf_token", "next", "name"):
            planter.send("POST", path, data={name: planter.secret(f"form {name} of {path}")})


def plant_in_what_gunicorn_refuses(planter: Planter) -> None:
    for line in MALFORMED:
        with RawConnection(planter.url) as connection:
            head = line.format(planter.secret(f"malformed {line}"))
            connection.send(f"POST {API} HTTP/1.1\r\nHost: a\r\n{head}\r\n\r\n".encode())
            answer = connection.receive()
            planter.errors.append(f"{answer.headers} {answer.body!r}")


@pytest.mark.parametrize(
    "plant",
    [plant_in_headers, plant_in_queries_and_cookies, plant_in_bodies, plant_in_what_gunicorn_refuses],
    ids=lambda plant: plant.__name__,
)
def test_a_secret_comes_to_light_nowhere(
    planter: Planter, everything: Callable[[], dict[str, str]], plant: Callable[[Planter], None]
) -> None:
    plant(planter)
    places = everything()
    assert len(planter.errors) > 3
    for position, secret in planter.secrets.items():
        for place, text in places.items():
            # neither whole nor without what says that it is a key
            assert secret.removeprefix("eg_live_") not in text, f"{position} is in {place}"


def test_a_dump_of_both_stores_holds_nothing_with_which_one_gets_in(
    planter: Planter, everything: Callable[[], dict[str, str]], database_url: str
) -> None:
    user_id = create_user(database_url, EMAIL, password_hash=hash_password(PASSWORD))
    add_member(database_url, create_project(database_url, "demo"), user_id, "admin")
    headers = {"Authorization": f"Bearer {planter.key}", "Idempotency-Key": f"call-{uuid4()}"}
    assert planter.send("POST", API, headers=headers, json=EVENT).status_code == 204
    with httpx.Client(base_url=planter.url) as browser:
        form = {"csrf_token": csrf_token(browser, "/login"), "email": EMAIL, "password": PASSWORD}
        assert browser.post("/login", data=form).status_code == 303
        made = key_in(create_key_on_page(browser))
        cookies = list(browser.cookies.values())
    with psycopg.connect(database_url) as connection:
        token = make_link_for(connection, EMAIL, COMMAND_LINE)
    secrets = {"key": planter.key, "key of the page": made, "password": PASSWORD, "link": token, "cookie": cookies[0]}
    secrets |= {"session id": session_id_of(cookies), "Idempotency-Key": headers["Idempotency-Key"]}
    secrets["secret"] = SECRET_KEY
    places = everything()
    assert "argon2" in places["PostgreSQL"]
    for name, secret in secrets.items():
        for place, text in places.items():
            assert secret.removeprefix("eg_live_") not in text, f"{name} is in {place}"


def session_id_of(cookies: list[str]) -> str:
    for cookie in cookies:
        if re.fullmatch(r"[\w.-]+", cookie):
            loaded = session_serializer(SECRET_KEY).loads(cookie)
            if SESSION_ID in loaded:
                return str(loaded[SESSION_ID])
    raise AssertionError("the browser has no session")

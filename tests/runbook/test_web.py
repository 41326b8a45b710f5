"""Web does not start, refuses clients, or a secret is out: the entry's commands lead out of it."""

from collections.abc import Callable

import pytest
from flask.testing import FlaskClient

from tests.batches import EVENT, PATH
from tests.conftest import StartProcess
from tests.runbook_entries import Operator, entries
from tests.sign_in import CSRF_FIELD, create_user, session_cookie
from tests.waiting import wait_until


def test_web_does_not_start(operator: Operator, start: StartProcess) -> None:
    web = start("web", wait=False, default_rate_limit="many")
    wait_until(lambda: web.exit_code() is not None, 30)
    assert "DEFAULT_RATE_LIMIT" in web.log()
    mistaken = Operator({**operator.environment, "DEFAULT_RATE_LIMIT": "many"})
    assert "DEFAULT_RATE_LIMIT" in mistaken.follow("web", may_fail={1})[0]
    assert "A 204 means" in operator.follow("web")[0]


def send(client: FlaskClient, key: str) -> int:
    return client.post(PATH, json=EVENT, headers={"Authorization": f"Bearer {key}"}).status_code


def fail_to_sign_in_through_a_proxy(client: FlaskClient) -> None:
    forwarded = {"X-Forwarded-For": "203.0.113.9"}
    (token,) = CSRF_FIELD.findall(client.get("/login", headers=forwarded).text)
    data = {"csrf_token": token, "email": "nobody@example.org", "password": "wrong"}
    assert client.post("/login", headers=forwarded, data=data).status_code == 401


def test_a_proxy_is_in_front_that_no_setting_knows_of(
    operator: Operator,
    client: FlaskClient,
    database_url: str,
    redis_url: str,
    *,
    open_client: Callable[..., FlaskClient],
    caplog: pytest.LogCaptureFixture,
) -> None:
    fail_to_sign_in_through_a_proxy(client)
    (said,) = [record.getMessage() for record in caplog.records if "X-Forwarded" in record.getMessage()]
    assert entries()["unknown_proxy"].says(said)
    (printed,) = operator.follow("unknown_proxy")
    assert "127.0.0.1" in printed
    assert "203.0.113.9" not in printed
    restarted = open_client(database_url, redis_url, TRUSTED_PROXY_COUNT="1")
    fail_to_sign_in_through_a_proxy(restarted)
    (printed,) = operator.follow("unknown_proxy")
    assert "203.0.113.9" in printed


def test_a_key_is_over_its_limit(operator: Operator, client: FlaskClient) -> None:
    create = "python -m app keys create --project demo --name sender --limit 2/minute"
    key = operator.run(create).stdout.strip()
    assert [send(client, key) for _ in range(3)] == [204, 204, 429]
    key_id = operator.run("python -m app keys list").stdout.splitlines()[1].split()[0]
    printed = operator.follow("refusals", ID=key_id, LIMIT="60000/minute")
    assert "2/minute" in printed[0]
    wait_until(lambda: send(client, key) == 204)


def test_an_api_key_has_leaked(operator: Operator, client: FlaskClient) -> None:
    create = "python -m app keys create --project demo --name sender --limit 600/minute"
    leaked = operator.run(create).stdout.strip()
    assert send(client, leaked) == 204
    key_id = operator.run("python -m app keys list").stdout.splitlines()[1].split()[0]
    printed = operator.follow(
        "api_key_leaked", PROJECT="demo", NAME="sender", SCOPE="ingest", LIMIT="600/minute", ID=key_id
    )
    assert [key.split()[5] for key in operator.run("python -m app keys list").stdout.splitlines()[1:]] == [
        "600/minute"
    ] * 2
    assert leaked[:12] in printed[0]
    successor = next(line for line in printed[0].splitlines() if line.startswith("eg_live_"))
    wait_until(lambda: send(client, leaked) == 401, 5)
    assert send(client, successor) == 204


def test_the_secret_key_has_leaked(
    operator: Operator, client: FlaskClient, database_url: str, redis_url: str, open_client: Callable[..., FlaskClient]
) -> None:
    user_id = create_user(database_url, "operator@example.org", is_operator=True)
    cookie = session_cookie(database_url, user_id)
    client.set_cookie("session", cookie)
    assert client.get("/account").status_code == 200
    new_secret = operator.follow("secret_key_leaked")[0].strip()
    restarted = open_client(database_url, redis_url, SECRET_KEY=new_secret)
    restarted.set_cookie("session", cookie)
    answer = restarted.get("/account")
    assert (answer.status_code, answer.headers["Location"].partition("?")[0]) == (303, "/login")
    key = operator.run("python -m app keys create --project demo --name sender").stdout.strip()
    assert send(restarted, key) == 204

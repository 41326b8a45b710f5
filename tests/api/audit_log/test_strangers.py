"""Sign-ins with emails that nobody has leave a row for each network and hour, however many they are."""

from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest
from flask.testing import FlaskClient

from app.core.accounts.sessions import note_sign_in_of_nobody
from app.web.application import create_app
from config.settings import load_settings
from tests.commands import select
from tests.processes import SECRET_KEY
from tests.sign_in import CSRF_FIELD

ROWS = "SELECT subject, address, items FROM audit_log ORDER BY id"

pytestmark = pytest.mark.usefixtures("clean_redis", "clean_database")


@pytest.fixture
def browser(database_url: str, redis_url: str) -> FlaskClient:
    settings = {"DATABASE_URL": database_url, "REDIS_URL": redis_url, "SECRET_KEY": SECRET_KEY}
    return create_app(load_settings(settings)).test_client()


def fail(browser: FlaskClient, address: str, email: str) -> None:
    where = {"REMOTE_ADDR": address}
    token = CSRF_FIELD.search(browser.get("/login", environ_overrides=where).text)
    assert token
    form = {"csrf_token": token[1], "email": email, "password": "a password of nobody"}
    assert browser.post("/login", data=form, environ_overrides=where).status_code == 401


def test_all_addresses_of_an_ipv6_network_are_one(browser: FlaskClient, database_url: str) -> None:
    for number, address in enumerate(["2001:db8::1", "2001:db8::2", "2001:db8:0:1::1", "192.0.2.7", "192.0.2.7"]):
        fail(browser, address, f"invented-{number}@example.com")
    assert select(database_url, ROWS) == [
        (None, "2001:db8::/64", 2),
        (None, "2001:db8:0:1::/64", 1),
        (None, "192.0.2.7", 2),
    ]


def test_those_that_come_at_once_are_one_too(database_url: str) -> None:
    def note(_number: int) -> None:
        with psycopg.connect(database_url, autocommit=True) as connection:
            note_sign_in_of_nobody(connection, "192.0.2.7")

    with ThreadPoolExecutor(8) as strangers:
        list(strangers.map(note, range(40)))
    assert select(database_url, ROWS) == [(None, "192.0.2.7", 40)]


def test_a_new_hour_begins_a_new_row(database_url: str) -> None:
    with psycopg.connect(database_url, autocommit=True) as connection:
        note_sign_in_of_nobody(connection, "192.0.2.7")
        connection.execute("UPDATE audit_log SET occurred_at = date_trunc('hour', now()) - interval '1 ms'")
        note_sign_in_of_nobody(connection, "192.0.2.7")
    assert select(database_url, ROWS) == [(None, "192.0.2.7", 1)] * 2

"""Signing in with email and password."""

from collections.abc import Iterator

import httpx
import pytest

from app.core.passwords import hash_password
from tests.sign_in import add_member, create_project, create_user, csrf_token

EMAIL = "ada@example.com"
PASSWORD = "correct horse battery"

pytestmark = pytest.mark.usefixtures("clean_redis", "clean_database")


@pytest.fixture(scope="module")
def password_hash() -> str:
    return hash_password(PASSWORD)


@pytest.fixture
def user_id(clean_database: None, database_url: str, password_hash: str) -> int:
    user_id = create_user(database_url, EMAIL, password_hash=password_hash)
    add_member(database_url, create_project(database_url, "demo"), user_id, "admin")
    return user_id


@pytest.fixture
def browser(web: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=web) as client:
        yield client


def sign_in(client: httpx.Client, email: str = EMAIL, password: str = PASSWORD, **fields: str) -> httpx.Response:
    token = csrf_token(client, "/login")
    return client.post("/login", data={"csrf_token": token, "email": email, "password": password, **fields})


def test_the_right_password_signs_in_and_leads_to_the_page_that_was_wanted(browser: httpx.Client, user_id: int):
    asked = browser.get("/account")
    assert (asked.status_code, asked.headers["Location"]) == (303, "/login?next=/account")
    signed_in = sign_in(browser, next="/account")
    assert (signed_in.status_code, signed_in.headers["Location"]) == (303, "/account")
    account = browser.get("/account")
    assert account.status_code == 200
    assert EMAIL in account.text


def test_the_wrong_password_and_an_unknown_user_get_the_same_answer(browser: httpx.Client, user_id: int):
    answers = [sign_in(browser, password="wrong"), sign_in(browser, email="nobody@example.com"), sign_in(browser, "x")]
    assert [answer.status_code for answer in answers] == [401] * 3
    assert all("Email or password is wrong." in answer.text for answer in answers)
    assert browser.get("/account").status_code == 303

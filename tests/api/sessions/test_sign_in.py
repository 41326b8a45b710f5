"""Signing in with email and password."""

import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlencode

import httpx
import psycopg
import pytest

from app.core.accounts.links import choose_password, make_link_for
from app.core.errors import LinkNotValid
from app.core.queries.audit_log import COMMAND_LINE
from tests.sessions import EMAIL, PASSWORD
from tests.sign_in import add_member, create_project, create_user, csrf_token

pytestmark = pytest.mark.usefixtures("clean_redis", "clean_database")


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


def test_who_is_signed_in_already_goes_on(browser: httpx.Client, user_id: int):
    sign_in(browser)
    answer = browser.get("/login?next=/account")
    assert (answer.status_code, answer.headers["Location"]) == (303, "/account")


@pytest.mark.parametrize(
    "next_page", ["//evil.example", "https://evil.example", "/\\evil.example", "/api/v1/x", "/dashboard\\x", ""]
)
def test_it_never_leads_to_another_site(browser: httpx.Client, user_id: int, next_page: str):
    assert sign_in(browser, next=next_page).headers["Location"] == "/dashboard"


def test_the_email_may_be_written_in_any_case(browser: httpx.Client, user_id: int):
    assert sign_in(browser, email=f" {EMAIL.upper()} ").status_code == 303


@pytest.mark.parametrize("email", ["", "\x00", "a@b\x00", "é@" + "x" * 300, "a" * 5_000])
def test_what_can_be_no_user_is_refused_like_any_other(browser: httpx.Client, user_id: int, email: str):
    assert sign_in(browser, email=email).status_code == 401


def test_a_password_that_is_longer_than_any_can_be_is_wrong(browser: httpx.Client, user_id: int):
    assert sign_in(browser, password="x" * 10_000).status_code == 401


def test_a_form_that_is_larger_than_any_is_not_read(browser: httpx.Client, user_id: int):
    answer = sign_in(browser, password="x" * 70_000)
    assert (answer.status_code, "larger than any" in answer.text) == (413, True)


def test_a_form_may_come_in_chunks_and_not_for_ever(browser: httpx.Client, user_id: int):
    form = urlencode({"csrf_token": csrf_token(browser, "/login"), "email": EMAIL, "password": PASSWORD}).encode()
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    assert browser.post("/login", content=iter([form[:10], form[10:]]), headers=headers).status_code == 303
    assert browser.post("/login", content=iter([b"x" * 1_000] * 100), headers=headers).status_code == 413


def test_a_user_who_was_invited_and_has_no_password_cannot_sign_in(browser: httpx.Client, database_url: str):
    create_user(database_url, "new@example.com", password_hash=None)
    for password in ("", "None", "x" * 12):
        assert sign_in(browser, email="new@example.com", password=password).status_code == 401


def test_guessing_is_slowed_down_for_one_account_from_everywhere(web: str, user_id: int):
    statuses = [fresh_sign_in(web, password="wrong").status_code for _ in range(11)]
    assert statuses == [401] * 10 + [429]
    blocked = fresh_sign_in(web)
    assert blocked.status_code == 429
    assert 1 <= int(blocked.headers["Retry-After"]) <= 60
    assert "Too many attempts" in blocked.text


def test_an_unknown_account_is_slowed_down_in_the_same_way(web: str, user_id: int):
    statuses = [fresh_sign_in(web, email="nobody@example.com").status_code for _ in range(11)]
    assert statuses == [401] * 10 + [429]


def test_guessing_at_many_accounts_is_slowed_down_by_address(web: str, user_id: int):
    statuses = [fresh_sign_in(web, email=f"user{n}@example.com").status_code for n in range(21)]
    assert statuses == [401] * 20 + [429]


def test_nobody_is_locked_out_of_a_browser_that_was_signed_in_before(web: str, browser: httpx.Client, user_id: int):
    assert sign_in(browser).status_code == 303
    browser.post("/logout", data={"csrf_token": csrf_token(browser)})
    while fresh_sign_in(web, password="wrong").status_code != 429:
        pass
    assert sign_in(browser).status_code == 303
    assert fresh_sign_in(web).status_code == 429


def test_a_known_browser_may_not_guess_for_ever_either(browser: httpx.Client, user_id: int):
    sign_in(browser)
    browser.post("/logout", data={"csrf_token": csrf_token(browser)})
    assert [sign_in(browser, password="wrong").status_code for _ in range(11)] == [401] * 10 + [429]


def test_signing_in_well_uses_nothing_up(web: str, user_id: int):
    assert {fresh_sign_in(web).status_code for _ in range(12)} == {303}


def fresh_sign_in(web: str, **fields: str) -> httpx.Response:
    """In a browser that nobody knows."""
    with httpx.Client(base_url=web) as client:
        return sign_in(client, **fields)


def test_a_link_lets_its_user_choose_a_password_once(web: str, database_url: str):
    user_id = create_user(database_url, "new@example.com", password_hash=None)
    add_member(database_url, create_project(database_url, "demo"), user_id, "member")
    path = link_path(database_url, "new@example.com")
    with httpx.Client(base_url=web) as browser:
        assert "new@example.com" in browser.get(path).text
        refused = choose(browser, path, "short", "short")
        assert (refused.status_code, "at least 12 characters" in refused.text) == (400, True)
        assert choose(browser, path, PASSWORD, "another one").status_code == 400
        chosen = choose(browser, path, PASSWORD, PASSWORD)
        assert (chosen.status_code, chosen.headers["Location"]) == (303, "/dashboard")
        assert "new@example.com" in browser.get("/account").text
    used = httpx.get(web + path)
    assert used.status_code == 404
    assert "not valid any more" in used.text
    assert fresh_sign_in(web, email="new@example.com").status_code == 303


def test_of_two_who_use_a_link_at_once_one_does(database_url: str, user_id: int):
    token = link_path(database_url, EMAIL).rpartition("/")[2]
    start = threading.Barrier(2)

    def use(password_hash: str) -> bool:
        start.wait()
        with psycopg.connect(database_url, autocommit=True) as connection:
            try:
                return choose_password(connection, token, password_hash, None) == user_id
            except LinkNotValid:
                return False

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(use, ["one", "two"])) == [False, True]


def test_a_link_ends_after_a_week_and_when_there_is_a_newer_one(web: str, database_url: str, user_id: int):
    first = link_path(database_url, EMAIL)
    second = link_path(database_url, EMAIL)
    assert [httpx.get(web + path).status_code for path in (first, second)] == [404, 200]
    with psycopg.connect(database_url) as connection:
        connection.execute("UPDATE sign_in_links SET expires_at = expires_at - interval '7 days'")
    assert httpx.get(web + second).status_code == 404


def test_a_link_that_is_used_signs_all_browsers_out(web: str, browser: httpx.Client, database_url: str, user_id: int):
    sign_in(browser)
    path = link_path(database_url, EMAIL)
    with httpx.Client(base_url=web) as other:
        assert choose(other, path, "another password", "another password").status_code == 303
    assert browser.get("/account").status_code == 303


def link_path(database_url: str, email: str) -> str:
    with psycopg.connect(database_url, autocommit=True) as connection:
        return f"/login/link/{make_link_for(connection, email, COMMAND_LINE)}"


def choose(browser: httpx.Client, path: str, password: str, again: str) -> httpx.Response:
    data = {"csrf_token": csrf_token(browser, path), "password": password, "again": again}
    return browser.post(path, data=data)


def test_over_plain_http_elsewhere_the_page_says_that_https_is_needed(web: str):
    notice = "Sign-in needs HTTPS"
    assert notice in httpx.get(f"{web}/login", headers={"Host": "analytics.example.com"}).text
    for host in ("localhost:8000", "127.0.0.1", "[::1]:8000"):
        assert notice not in httpx.get(f"{web}/login", headers={"Host": host}).text


def test_argon2_does_not_hold_up_the_event_loop():
    code = """
from gevent import monkey; monkey.patch_all()
import time, gevent
from app.core.accounts.passwords import hash_password
from app.web.threads import run_in_thread
hash_password("the first one takes longer")
longest, done = 0.0, False
def tick():
    global longest
    while not done:
        before = time.monotonic(); gevent.sleep(0.001); longest = max(longest, time.monotonic() - before)
ticking = gevent.spawn(tick)
begun = time.monotonic()
gevent.joinall([gevent.spawn(run_in_thread, lambda: hash_password("x")) for _ in range(4)])
took = time.monotonic() - begun
done = True; ticking.join()
print(longest < took / 4)
"""
    finished = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert finished.stdout.strip() == "True", finished.stderr

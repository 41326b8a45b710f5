"""Who invites an address first and keeps the link must not get into what others let that address into."""

import html
import re
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import psycopg
import pytest

from app.core.accounts.links import make_link_for
from app.core.accounts.tokens import hash_token
from app.core.queries.audit_log import COMMAND_LINE
from tests.accounts import LINK_GONE, choose_password, invite, join, link_in, sign_in
from tests.sign_in import signed_in_client, submit

VICTIM = "victim@example.com"
THEIRS = "a password of the victim"
STOLEN = "a password of the attacker"
ATTACKERS_PROJECT = "/dashboard/members?project=1"
PROJECT = "/dashboard/members?project=2"
DASHBOARD = "/dashboard?project=2"
# as web of the release before makes one
OLD_LINK = """
INSERT INTO sign_in_links (token_hash, user_id, expires_at) SELECT %s, id, now() + interval '1 day' FROM users
"""

pytestmark = pytest.mark.usefixtures("clean_redis", "clean_database")


@pytest.fixture
def attacker(clean_database: None, web: str, database_url: str) -> Iterator[httpx.Client]:
    """The admin of project 1."""
    with signed_in_client(web, database_url, project="one", email="attacker@one.example") as client:
        yield client


@pytest.fixture
def admin(attacker: httpx.Client, web: str, database_url: str) -> Iterator[httpx.Client]:
    """The admin of project 2, who knows nothing of project 1."""
    with signed_in_client(web, database_url, project="two", email="admin@two.example") as client:
        yield client


@pytest.fixture
def operator(admin: httpx.Client, web: str, database_url: str) -> Iterator[httpx.Client]:
    with signed_in_client(web, database_url, project="two", email="root@two.example", is_operator=True) as client:
        yield client


@contextmanager
def browser(web: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=web, follow_redirects=False, timeout=15) as client:
        yield client


@contextmanager
def squatter(web: str, attacker: httpx.Client) -> Iterator[httpx.Client]:
    """The attacker's browser, signed in as the victim: invited, and the link kept."""
    link = link_in(invite(attacker, VICTIM, path=ATTACKERS_PROJECT))
    assert link is not None
    with browser(web) as client:
        assert choose_password(client, link, STOLEN).status_code == 303
        assert client.get("/dashboard?project=1").status_code == 200
        yield client


def link_to_two(admin: httpx.Client) -> str:
    link = link_in(invite(admin, VICTIM, path=PROJECT))
    assert link is not None
    return link


def test_who_holds_a_sign_in_by_an_invitation_elsewhere_is_not_let_in_by_a_new_one(
    web: str, attacker: httpx.Client, admin: httpx.Client
):
    with squatter(web, attacker) as thief:
        link = link_to_two(admin)
        assert thief.get(DASHBOARD).status_code == 404
        assert "two" not in thief.get("/account").text
        with browser(web) as again:
            assert sign_in(again, VICTIM, STOLEN).status_code == 303
            assert again.get(DASHBOARD).status_code == 404
        with browser(web) as victim:
            asked = victim.get(link)
            assert "two" in asked.text
            assert "Ask an operator" in asked.text
            assert choose_password(victim, link, THEIRS).status_code == 401
            assert join(victim, link, THEIRS).status_code == 401
            assert victim.get(DASHBOARD).status_code == 303
        assert "waiting" in admin.get(PROJECT).text


def test_a_link_of_the_first_project_opens_no_other_even_if_it_is_used_last(
    web: str, attacker: httpx.Client, admin: httpx.Client
):
    kept = link_in(invite(attacker, VICTIM, path=ATTACKERS_PROJECT))
    assert kept is not None
    link = link_to_two(admin)
    with browser(web) as victim:
        assert choose_password(victim, link, THEIRS).status_code == 303
        assert victim.get(DASHBOARD).status_code == 200
        assert victim.get("/dashboard?project=1").status_code == 404
    with browser(web) as thief:
        assert choose_password(thief, kept, STOLEN).status_code == 401
        assert join(thief, kept, STOLEN).status_code == 401
        assert sign_in(thief, VICTIM, STOLEN).status_code == 401


def test_who_holds_both_the_sign_in_and_the_new_link_is_let_in(web: str, attacker: httpx.Client, admin: httpx.Client):
    first = link_in(invite(attacker, VICTIM, path=ATTACKERS_PROJECT))
    assert first is not None
    with browser(web) as honest:
        choose_password(honest, first, THEIRS)
        link = link_to_two(admin)
        joined = join(honest, link, THEIRS)
        assert (joined.status_code, joined.headers["Location"]) == (303, DASHBOARD)
        assert honest.get(DASHBOARD).status_code == 200
        assert honest.get(link).status_code == LINK_GONE


def test_the_reverse_an_admin_cannot_take_a_sign_in_over_by_inviting_it(
    web: str, attacker: httpx.Client, admin: httpx.Client
):
    link = link_to_two(admin)
    with browser(web) as victim:
        choose_password(victim, link, THEIRS)
        kept = link_in(invite(attacker, VICTIM, path=ATTACKERS_PROJECT))
        assert kept is not None
        with browser(web) as thief:
            assert choose_password(thief, kept, STOLEN).status_code == 401
            assert sign_in(thief, VICTIM, STOLEN).status_code == 401
        assert victim.get(DASHBOARD).status_code == 200


def test_an_operators_link_ends_the_thief_and_lets_its_holder_in_everywhere(
    web: str, database_url: str, attacker: httpx.Client, admin: httpx.Client
):
    with squatter(web, attacker) as thief, browser(web) as victim:
        link_to_two(admin)
        with psycopg.connect(database_url, autocommit=True) as connection:
            token = make_link_for(connection, VICTIM, COMMAND_LINE)
        assert choose_password(victim, f"{web}/login/link/{token}", THEIRS).status_code == 303
        assert victim.get(DASHBOARD).status_code == 200
        assert thief.get("/account").status_code == 303
        assert sign_in(thief, VICTIM, STOLEN).status_code == 401


def test_a_sign_in_that_opens_nothing_any_more_is_started_anew_by_the_new_link(
    web: str, attacker: httpx.Client, admin: httpx.Client, database_url: str
):
    with squatter(web, attacker) as thief, browser(web) as victim:
        user_id = user_id_of(database_url, VICTIM)
        submit(attacker, f"/dashboard/members/{user_id}/remove?project=1")
        assert choose_password(victim, link_to_two(admin), THEIRS).status_code == 303
        assert victim.get(DASHBOARD).status_code == 200
        assert thief.get("/account").status_code == 303
        assert sign_in(thief, VICTIM, STOLEN).status_code == 401


def test_only_an_operator_can_confirm_who_holds_a_sign_in(
    web: str, database_url: str, attacker: httpx.Client, admin: httpx.Client, operator: httpx.Client
):
    with squatter(web, attacker) as holder:
        link_to_two(admin)
        path = f"/dashboard/members/{user_id_of(database_url, VICTIM)}/confirm?project=2"
        assert "Let in" not in admin.get(PROJECT).text
        assert submit(admin, path).status_code == 403
        assert holder.get(DASHBOARD).status_code == 404
        assert "Let in" in operator.get(PROJECT).text
        assert submit(operator, path).status_code == 303
        assert holder.get(DASHBOARD).status_code == 404, "it does not say which password is meant"
        assert submit(operator, path, {"password_chosen_at": "nonsense"}).status_code == 400
        assert submit(operator, path, password_shown(operator)).status_code == 303
        assert holder.get(DASHBOARD).status_code == 200


def test_what_an_operator_confirms_is_the_password_that_was_shown_and_none_chosen_since(
    web: str, database_url: str, attacker: httpx.Client, admin: httpx.Client, operator: httpx.Client
):
    first = link_in(invite(attacker, VICTIM, path=ATTACKERS_PROJECT))
    assert first is not None
    with browser(web) as victim, browser(web) as thief:
        choose_password(victim, first, THEIRS)
        link_to_two(admin)
        shown = password_shown(operator)
        user_id = user_id_of(database_url, VICTIM)
        submit(attacker, f"/dashboard/members/{user_id}/remove?project=1")
        link = link_in(invite(attacker, VICTIM, path=ATTACKERS_PROJECT))
        assert link is not None
        assert choose_password(thief, link, STOLEN).status_code == 303
        confirmed = submit(operator, f"/dashboard/members/{user_id}/confirm?project=2", shown, follow_redirects=True)
        assert "chosen anew" in confirmed.text
        assert thief.get(DASHBOARD).status_code == 404
        assert password_shown(operator) != shown


def test_one_whom_an_operator_vouched_for_is_let_in_at_once(web: str, database_url: str, admin: httpx.Client):
    with psycopg.connect(database_url) as connection:
        connection.execute("INSERT INTO users (email, password_hash, confirmed_at) VALUES (%s, 'x', now())", [VICTIM])
    assert link_in(invite(admin, VICTIM, path=PROJECT)) is None
    assert f"{VICTIM} is in this project now" in admin.get(PROJECT).text


def test_a_link_that_the_release_before_makes_during_a_deploy_opens_nothing(web: str, database_url: str):
    with psycopg.connect(database_url) as connection:
        connection.execute("INSERT INTO users (email) VALUES (%s)", [VICTIM])
        connection.execute(OLD_LINK, [hash_token("token")])
    assert httpx.get(f"{web}/login/link/token").status_code == LINK_GONE


def password_shown(operator: httpx.Client) -> dict[str, str]:
    """What the form says of the password that the operator confirms, which the page shows in words too."""
    page = operator.get(PROJECT).text
    found = re.search(r'name="password_chosen_at" value="([^"]+)"', page)
    assert found
    assert f'chosen <time datetime="{found[1]}">' in page
    return {"password_chosen_at": html.unescape(found[1])}


def user_id_of(database_url: str, email: str) -> int:
    with psycopg.connect(database_url) as connection:
        row = connection.execute("SELECT id FROM users WHERE email = %s", [email]).fetchone()
    assert row is not None
    return int(row[0])

"""/dashboard/webhooks: made, changed, tried, given another secret, deleted, and what is told of each."""

import re

import httpx
import psycopg
import pytest
from psycopg import sql

from app.core.news.sealing import ADDRESS, SECRET, open_sealed
from app.core.news.webhooks import MOST_WEBHOOKS
from tests.audit_log import entries
from tests.commands import select
from tests.dumps import dump_postgres
from tests.news import KEY, delivery_states
from tests.sign_in import submit
from tests.system_page import text

PAGE = "/dashboard/webhooks"
ONE = f"{PAGE}/1"
URL = "https://hooks.example.com/services/T0/B0/a-secret-path"
FORM = {"name": "ops", "address": URL, "kinds": ["budget", "silence"]}
STORED = "SELECT name, host, kinds, is_enabled FROM webhooks ORDER BY id"
INSERT_DELIVERY = """
WITH written AS (
    INSERT INTO news (project_id, kind, subject, period, payload)
    VALUES (1, 'test', 'x', gen_random_uuid()::text, '{"webhook": "<b>ops</b>"}') RETURNING id
)
INSERT INTO deliveries (news_id, webhook_id, state, give_up_at, attempts, status, answer)
SELECT id, 1, %s, now(), %s, %s, %s FROM written
"""

pytestmark = pytest.mark.usefixtures("clean_redis", "clean_database")


def add(client: httpx.Client, **changes: object) -> httpx.Response:
    return submit(client, f"{PAGE}?project=1", {**FORM, **changes})


def act(client: httpx.Client, action: str, **data: object) -> httpx.Response:
    return submit(client, f"{ONE}{action}?project=1", data, follow_redirects=True)


def secret_in(answer: httpx.Response) -> str:
    (found,) = re.findall(r'id="webhook-secret"[^>]*>(whsec_[^<]+)<', answer.text)
    return str(found).replace("&#43;", "+")


def delivered(database_url: str, *row: object) -> None:
    with psycopg.connect(database_url) as connection:
        connection.execute(INSERT_DELIVERY, row)


def opened(database_url: str, column: str, purpose: str) -> str:
    """What the only webhook has sealed."""
    with psycopg.connect(database_url) as connection:
        query = sql.SQL("SELECT {} FROM webhooks").format(sql.Identifier(column))
        row = connection.execute(query).fetchone()
    assert row is not None
    return open_sealed(KEY, row[0], purpose=purpose, project_id=1)


def test_a_secret_is_shown_once_and_a_dump_holds_neither_it_nor_the_address(admin: httpx.Client, database_url: str):
    answer = add(admin)
    assert answer.status_code == 200
    secret = secret_in(answer)
    shown = admin.get(ONE, params={"project": 1}).text + admin.get(PAGE, params={"project": 1}).text
    assert "hooks.example.com" in shown
    dump = dump_postgres(database_url)
    for hidden in (secret, secret.removeprefix("whsec_"), "a-secret-path"):
        assert hidden not in shown
        assert hidden not in dump
    assert opened(database_url, "sealed_address", ADDRESS) == URL
    assert opened(database_url, "sealed_secret", SECRET) == secret


def test_a_form_that_is_sent_twice_makes_one_webhook(admin: httpx.Client, database_url: str):
    first, second = (re.findall(r'name="once"[^>]* value="([0-9a-f]{32})"', admin.get(PAGE).text)[0] for _ in range(2))
    assert add(admin, once=first).status_code == 200
    again = add(admin, once=first)
    assert (again.status_code, again.headers["location"]) == (303, f"{PAGE}?project=1")
    assert "shown only once" in text(admin.get(PAGE, params={"project": 1}))
    assert len(select(database_url, STORED)) == 1
    assert add(admin, once=second).status_code == 200


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"address": "http://example.com/x"}, "Only https:// is allowed"),
        ({"address": "https://127.0.0.1/x"}, "This address is private"),
        ({"address": "https://[::ffff:10.0.0.1]/x"}, "This address is private"),
        ({"address": "https://localhost:8000/x"}, "This address is private"),
        ({"address": "https://user:pw@example.com/x"}, "No user name or password"),
        ({"address": "example.com"}, "begins with https://"),
        ({"address": "javascript:alert(1)"}, "begins with https://"),
        ({"address": ""}, "begins with https://"),
        ({"address": "https://example.com/\0"}, "no spaces"),
        ({"name": ""}, "Give it a name"),
        ({"name": "a\0b"}, "printable"),
        ({"name": "x" * 201}, "1 to 200"),
        ({"kinds": []}, "Choose at least one"),
        ({"kinds": ["budget", "of_tomorrow"]}, "not a valid choice"),
        ({"kinds": ["test"]}, "not a valid choice"),
    ],
)
def test_what_is_wrong_is_a_400_in_words_and_changes_nothing(
    admin: httpx.Client, database_url: str, changes: dict[str, object], words: str
):
    answer = add(admin, **changes)
    assert (answer.status_code, select(database_url, STORED)) == (400, [])
    assert words in text(answer)
    add(admin)
    before = select(database_url, STORED)
    changed = submit(admin, f"{ONE}?project=1", {**FORM, "is_enabled": "y", **changes})
    # without an address it stays
    assert changed.status_code == (303 if changes == {"address": ""} else 400)
    assert select(database_url, STORED) == before


def test_it_is_changed_and_keeps_its_address_unless_another_is_entered(admin: httpx.Client, database_url: str):
    add(admin)
    sealed = select(database_url, "SELECT sealed_address FROM webhooks")
    act(admin, "", name="sales", address="", kinds=["silence"], is_enabled="y")
    assert select(database_url, STORED) == [("sales", "hooks.example.com", ["silence"], True)]
    assert select(database_url, "SELECT sealed_address FROM webhooks") == sealed
    act(admin, "", name="sales", address="https://example.org/y", kinds=["silence"], is_enabled="y")
    assert select(database_url, STORED) == [("sales", "example.org", ["silence"], True)]
    assert select(database_url, "SELECT sealed_address FROM webhooks") != sealed


def test_what_waits_for_a_webhook_that_is_switched_off_is_given_up(admin: httpx.Client, database_url: str):
    add(admin)
    act(admin, "/test")
    act(admin, "", **{**FORM, "address": ""})
    assert delivery_states(database_url) == ["given_up"]
    answer = act(admin, "/test")
    assert "switch it on first" in text(answer)
    assert "switch it on first" in text(act(admin, "/deliveries/1/repeat"))
    assert delivery_states(database_url) == ["given_up"]


def test_a_test_is_sent_to_this_webhook_alone_whatever_it_wants(admin: httpx.Client, database_url: str):
    add(admin)
    add(admin, kinds=["dead_letters"])
    answer = act(admin, "/test")
    assert "A test is on its way" in text(answer)
    assert "This is a test of the webhook ops" in text(answer)
    assert select(database_url, "SELECT webhook_id, state FROM deliveries") == [(1, "pending")]


def test_a_new_secret_is_shown_once_and_the_old_one_signs_for_a_day(admin: httpx.Client, database_url: str):
    first = secret_in(add(admin))
    second = secret_in(submit(admin, f"{ONE}/secret?project=1"))
    assert first != second
    assert opened(database_url, "sealed_previous_secret", SECRET) == first
    assert opened(database_url, "sealed_secret", SECRET) == second
    left = "SELECT previous_secret_until - now() BETWEEN '23 hours' AND '24 hours' FROM webhooks"
    assert select(database_url, left) == [(True,)]
    assert "Signed with both secrets until" in text(admin.get(ONE, params={"project": 1}))


def test_it_is_deleted_with_its_deliveries_and_the_news_stays(admin: httpx.Client, database_url: str):
    add(admin)
    act(admin, "/test")
    answer = act(admin, "/delete")
    assert "The webhook ops is deleted" in text(answer)
    assert select(database_url, "SELECT (SELECT count(*) FROM deliveries), (SELECT count(*) FROM news)") == [(0, 1)]
    assert admin.get(ONE, params={"project": 1}).status_code == 404


def test_a_project_has_only_so_many(admin: httpx.Client, database_url: str):
    for _ in range(MOST_WEBHOOKS):
        assert add(admin).status_code == 200
    answer = add(admin)
    assert answer.status_code == 400
    assert f"at most {MOST_WEBHOOKS} webhooks" in text(answer)


def test_the_page_tells_what_receivers_answered_as_text(admin: httpx.Client, database_url: str):
    add(admin)
    delivered(database_url, "delivered", 1, 200, "ok")
    delivered(database_url, "pending", 3, 500, "<script>alert(1)</script>\u202e")
    delivered(database_url, "given_up", 12, None, "No answer in time.")
    answer = admin.get(ONE, params={"project": 1})
    shown = text(answer)
    for words in ("200 ok", "500 <script>alert(1)</script>[U+202E]", "No answer in time.", "Given up", "again at"):
        assert words in shown
    assert "<script>alert" not in answer.text
    assert "\u202e" not in answer.text
    assert "<b>ops" not in answer.text
    assert "Failing" in text(admin.get(PAGE, params={"project": 1}))


def test_one_that_was_given_up_is_sent_again(admin: httpx.Client, database_url: str):
    add(admin)
    delivered(database_url, "given_up", 12, 500, "")
    delivered(database_url, "delivered", 1, 200, "")
    assert "It is sent again" in text(act(admin, "/deliveries/1/repeat"))
    assert delivery_states(database_url) == ["pending", "delivered"]
    for delivery in ("2", "99", "9" * 30):
        assert act(admin, f"/deliveries/{delivery}/repeat").status_code == 404


def test_pages_lead_to_the_oldest_delivery(admin: httpx.Client, database_url: str):
    add(admin)
    for number in range(60):
        delivered(database_url, "delivered", 1, 200, f"answer {number}")
    seen: list[str] = []
    address = f"{ONE}?project=1"
    while address:
        page = admin.get(address)
        seen += re.findall(r"answer \d+", page.text)
        older = re.search(r'href="([^"]+)">Older<', page.text)
        address = older[1].replace("&amp;", "&") if older else ""
    assert seen == [f"answer {number}" for number in reversed(range(60))]
    downloaded = admin.get(f"{ONE}/deliveries.csv", params={"project": 1}).text
    assert re.findall(r"delivered,1,.*,200,(answer \d+)", downloaded) == seen


@pytest.mark.parametrize("webhook_id", ["2", "2147483648", "9" * 30])
def test_a_webhook_that_there_is_not_is_a_404(admin: httpx.Client, webhook_id: str):
    assert admin.get(f"{PAGE}/{webhook_id}", params={"project": 1}).status_code == 404
    assert submit(admin, f"{PAGE}/{webhook_id}/delete?project=1").status_code == 404


def test_what_is_done_is_in_the_audit_log_without_address_and_secret(admin: httpx.Client, database_url: str):
    secrets = [secret_in(add(admin)), secret_in(submit(admin, f"{ONE}/secret?project=1"))]
    act(admin, "/test")
    act(admin, "", **{**FORM, "address": "https://example.org/z"})
    act(admin, "", **{**FORM, "address": "", "is_enabled": "y"})
    act(admin, "/deliveries/1/repeat")
    act(admin, "/delete")
    written = entries(database_url)
    assert [(action, subject) for action, _, subject, _ in written] == [
        ("webhook made", "ops (hooks.example.com)"),
        ("webhook secret replaced", "ops"),
        ("webhook tried", "ops"),
        ("webhook changed", "ops (now example.org) (now off)"),
        ("webhook changed", "ops"),
        ("delivery repeated", "ops (delivery 1)"),
        ("webhook deleted", "ops"),
    ]
    assert {(actor, project) for _, actor, _, project in written} == {("admin@p.example", 1)}
    everything = str(written)
    assert not any(hidden in everything for hidden in (*secrets, "a-secret-path", "/z"))

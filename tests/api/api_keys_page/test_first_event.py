"""A new key's page: waiting for its first event, and what stands in its way."""

import re
from uuid import uuid4

import httpx
import pytest

from app.commands.demo import demo
from app.local.redis_server import RunningRedis
from tests.api_keys import skip_key_ids
from tests.api_keys_page import API, KEY, PAGE, create, key_in, status_with
from tests.frozen import frozen
from tests.sign_in import signed_in_client
from tests.system_page import text
from tests.waiting import wait_until

HIDDEN_FIELD = re.compile(r'<input type="hidden" name="(\w+)" value="([^"]*)">')

pytestmark = pytest.mark.usefixtures("clean_redis")


def test_the_page_of_a_new_key_waits_and_says_when_the_first_event_came(web, database_url, admin, *, stored):
    skip_key_ids(database_url)
    created = create(admin)
    assert "None yet." in created.text
    assert "first-event.js" in created.text
    ((key_id, *_),) = stored()
    path = f"{PAGE}/{key_id}/first-event"
    assert "None yet." in admin.get(path).text
    assert status_with(web, key_in(created)) == 204
    wait_until(lambda: "The first event with this key came at" in text(admin.get(path)))
    came = admin.get(path).text
    assert status_with(web, key_in(created)) == 204
    assert admin.get(PAGE).status_code == 200
    time = came.partition("<time")[2].partition("</time>")[0]
    assert time in admin.get(path).text, "the second event is not the first"


def test_a_refused_request_with_the_key_is_told_with_where_to_see_why(web, database_url, admin, *, stored):
    skip_key_ids(database_url)
    key = key_in(create(admin))
    ((key_id, *_),) = stored()
    httpx.post(web + API, json={}, headers={"Authorization": f"Bearer {key}"})
    path = f"{PAGE}/{key_id}/first-event"
    wait_until(lambda: "1 request with this key was refused" in text(admin.get(path)))
    shown = admin.get(path)
    assert "the last with 400 VALIDATION_ERROR" in text(shown)
    assert f"/dashboard/refusals?key={key_id}" in shown.text
    assert "None yet." in shown.text


def test_a_key_that_may_only_read_waits_for_no_event(admin):
    answer = admin.post(PAGE, data={})
    assert answer.status_code == 400
    answer = create(admin, read="y", ingest="")
    assert key_in(answer)
    assert "First event" not in answer.text


def test_without_redis_the_page_says_that_it_is_not_known(admin, stored, redis_server: RunningRedis):
    create(admin)
    ((key_id, *_),) = stored()
    with frozen(redis_server.pid):
        shown = admin.get(f"{PAGE}/{key_id}/first-event")
    assert (shown.status_code, "Not known now" in shown.text) == (200, True)


def test_an_empty_dashboard_offers_an_admin_a_key_right_there(admin, stored):
    shown = admin.get("/dashboard").text
    assert "Make an API key" in shown
    form = dict(HIDDEN_FIELD.findall(shown))
    answer = admin.post(PAGE, data=form)
    assert KEY.search(answer.text)
    assert [row[1:4] for row in stored()] == [("first key", ["ingest"], None)]


def test_an_empty_dashboard_tells_a_member_whom_to_ask(web, database_url, project, admin):
    assert admin.get("/dashboard").status_code == 200
    with signed_in_client(web, database_url, project=project, role="member") as member:
        shown = text(member.get("/dashboard"))
    assert "Make an API key" not in shown
    assert f"ask admin@{project}.example ." in shown


def test_a_project_without_admins_sends_a_member_to_the_operator(web, database_url):
    with signed_in_client(web, database_url, project=f"alone-{uuid4()}", role="member") as member:
        assert "ask the operator of this service" in text(member.get("/dashboard"))


def test_an_empty_dashboard_says_what_make_demo_does(admin):
    shown = text(admin.get("/dashboard"))
    defaults = {option.name: option.default for option in demo.params}
    assert "make demo" in shown
    assert f"about {defaults['events']:,} made-up events of the last {defaults['days']} days" in shown
    assert f"named “{defaults['project']}”" in shown

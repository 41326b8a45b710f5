"""/dashboard/api-keys: changing keys that are in use, and those that end soon."""

import re
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import httpx
import psycopg
import pytest

from tests.api_keys import create_key
from tests.api_keys_page import API, EVENT, PAGE, create, key_in, send, status_with
from tests.sign_in import signed_in_client
from tests.system_page import text
from tests.waiting import wait_until

SET_ENDS = "UPDATE api_keys SET expires_at = %s WHERE project_id = %s"
SET_LIMIT = "UPDATE api_keys SET rate_limit = %s WHERE id = %s"

pytestmark = pytest.mark.usefixtures("clean_redis")


def change(client: httpx.Client, key_id: int, **fields: str) -> httpx.Response:
    return send(client, f"{PAGE}/{key_id}/change", **({"name": "ci", "unit": "minute", "expiry": "kept"} | fields))


def limit_of(web: str, key: str) -> str:
    answer = httpx.post(web + API, json=EVENT, headers={"Authorization": f"Bearer {key}"})
    return str(answer.headers["X-RateLimit-Limit"])


def test_name_limit_and_end_of_a_key_in_use_are_changed(web, admin, stored):
    key = key_in(create(admin, limit="100"))
    ((key_id, *_),) = stored()
    assert limit_of(web, key) == "100"
    answer = change(admin, key_id, name="checkout", limit="7", unit="second", expiry="90")
    assert answer.status_code == 303
    # both processes are asked: each call has a connection of its own
    wait_until(lambda: {limit_of(web, key) for _ in range(8)} == {"7"}, timeout_seconds=5)
    ((_, name, _, limit, ends, *_),) = stored()
    assert (name, limit) == ("checkout", "7/second")
    assert abs(ends - datetime.now(UTC) - timedelta(days=90)) < timedelta(minutes=1)
    assert "is changed" in admin.get(PAGE).text
    told = text(admin.get("/dashboard/audit-log"))
    assert f"key changed ci ({key[:14]}…): now called checkout, limit 7/second instead of 100/minute, ends" in told


def test_the_form_is_filled_in_with_what_the_key_is_and_changes_nothing_by_itself(admin, stored):
    create(admin, name="nightly", limit="600", unit="hour", expiry="30")
    before = stored()
    shown = admin.get(f"{PAGE}/{before[0][0]}/change").text
    fields = dict(re.findall(r'<input[^>]* name="(name|limit)"[^>]* value="([^"]*)"', shown))
    assert fields == {"name": "nightly", "limit": "600"}
    assert '<option selected value="hour">' in shown
    assert f"As it is: {before[0][4]:%Y-%m-%d %H:%M} UTC" in shown
    assert change(admin, before[0][0], name="nightly", limit="600", unit="hour").status_code == 303
    assert stored() == before
    assert "key changed" not in re.sub(r"<option.*?</option>", "", admin.get("/dashboard/audit-log").text)


def test_a_limit_that_the_form_cannot_say_is_left_alone_unless_another_is_chosen(admin, stored, database_url):
    create(admin)
    ((key_id, *_),) = stored()
    with psycopg.connect(database_url) as connection:
        connection.execute(SET_LIMIT, ["10 per 2 minute", key_id])
    assert "as it is: 10 per 2 minute" in admin.get(f"{PAGE}/{key_id}/change").text
    change(admin, key_id, unit="kept", name="renamed")
    assert stored()[0][1:4] == ("renamed", ["ingest"], "10 per 2 minute")
    # what is to be of a number beside "as it is" nobody can know
    answer = change(admin, key_id, unit="kept", limit="500", name="again")
    assert (answer.status_code, "Choose what the number is for" in answer.text) == (400, True)
    assert 'value="500"' in answer.text
    assert stored()[0][1:4] == ("renamed", ["ingest"], "10 per 2 minute")
    # nor what a unit without a number is to be: it was the default, and nobody was told
    answer = change(admin, key_id, unit="minute", limit="")
    assert (answer.status_code, "Give the number too" in answer.text) == (400, True)
    assert stored()[0][3] == "10 per 2 minute"
    change(admin, key_id, unit="minute", limit="5")
    assert stored()[0][3] == "5/minute"


def test_a_limit_that_the_form_cannot_say_gives_way_to_the_default_only_by_its_name(admin, stored, database_url):
    create(admin)
    ((key_id, *_),) = stored()
    with psycopg.connect(database_url) as connection:
        connection.execute(SET_LIMIT, ["10 per 2 minute", key_id])
    assert change(admin, key_id, unit="default", limit="500").status_code == 400
    assert stored()[0][3] == "10 per 2 minute"
    assert change(admin, key_id, unit="default", limit="").status_code == 303
    assert stored()[0][3] is None
    assert change(admin, key_id, unit="default").status_code == 400, "other keys have no such choice"


WRONG = (
    *({"name": " "}, {"limit": "0"}, {"limit": "x"}, {"unit": "kept"}, {"unit": "year"}),
    *({"expiry": "day"}, {"expiry": ""}),
)


@pytest.mark.parametrize("wrong", WRONG)
def test_a_wrong_form_changes_nothing(admin, stored, wrong):
    create(admin)
    before = stored()
    assert change(admin, before[0][0], **wrong).status_code == 400
    assert stored() == before


def test_a_revoked_key_is_not_changed_and_the_page_says_so(admin, stored):
    create(admin)
    ((key_id, *_),) = stored()
    send(admin, f"{PAGE}/{key_id}/revoke")
    before = stored()
    assert "revoked for good" in admin.get(f"{PAGE}/{key_id}/change").text
    answer = change(admin, key_id, name="x")
    assert (answer.status_code, "revoked for good" in answer.text) == (409, True)
    assert stored() == before


def test_an_expired_key_is_let_in_again_by_a_later_end(web, admin, stored, database_url, project_id):
    key = key_in(create(admin, expiry="30"))
    ((key_id, *_),) = stored()
    with psycopg.connect(database_url) as connection:
        connection.execute(SET_ENDS, [datetime.now(UTC) - timedelta(days=1), project_id])
    assert "let in again" in admin.get(f"{PAGE}/{key_id}/change").text
    change(admin, key_id, expiry="never")
    wait_until(lambda: {status_with(web, key) for _ in range(8)} == {204}, timeout_seconds=5)


def test_a_rotated_key_whose_successor_was_revoked_is_still_told_as_expiring(admin, stored):
    create(admin)
    ((old_id, *_),) = stored()
    send(admin, f"{PAGE}/{old_id}/rotate", overlap="24h", expiry="never")
    send(admin, f"{PAGE}/{stored()[1][0]}/revoke")
    listed = text(admin.get(PAGE))
    ends = stored()[0][4]
    assert f"Expiring until {ends:%Y-%m-%d %H:%M} UTC" in listed
    assert "Active" not in listed
    assert f"/{old_id}/rotate" in admin.get(PAGE).text, "it needs a successor"
    assert send(admin, f"{PAGE}/{old_id}/rotate", overlap="1h", expiry="never").status_code == 200


def test_keys_that_end_soon_are_told_of_in_the_header_of_every_page_but_errors_to_admins(
    web, database_url, admin, project, *, project_id
):
    with signed_in_client(web, database_url, project=project, role="member") as member:
        for _ in range(2):
            create_key(database_url, project=project)
        with psycopg.connect(database_url) as connection:
            connection.execute(SET_ENDS, [datetime.now(UTC) + timedelta(days=6), project_id])
        for path in ("/dashboard", PAGE, "/dashboard/system", "/dashboard/members", "/account"):
            shown = admin.get(path, params={"project": project_id})
            assert "2 keys end soon" in text(shown), path
            assert f'href="{PAGE}?project={project_id}"' in shown.text
        assert "end soon" not in text(member.get(PAGE))
        error = admin.get("/dashboard/api-keys/0/change", params={"project": project_id})
        assert (error.status_code, "Members" in text(error), "end soon" in text(error)) == (404, True, False)
        assert "end soon" not in httpx.get(f"{web}/login").text


def test_a_key_of_another_project_cannot_be_changed(web, database_url, admin, stored):
    create(admin)
    before = stored()
    with signed_in_client(web, database_url, project=f"other-{uuid4()}") as stranger:
        assert stranger.get(f"{PAGE}/{before[0][0]}/change").status_code == 404
        assert change(stranger, before[0][0], name="theirs").status_code == 404
    assert stored() == before

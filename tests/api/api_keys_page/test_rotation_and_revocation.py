"""/dashboard/api-keys: replacing and ending keys, and who may."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import httpx
import pytest

from tests.api_keys_page import KEY, PAGE, create, key_in, send, status_with
from tests.sign_in import csrf_token, signed_in_client
from tests.waiting import wait_until

pytestmark = pytest.mark.usefixtures("clean_redis")


@pytest.fixture
def member(web: str, database_url: str, project: str) -> Iterator[httpx.Client]:
    with signed_in_client(web, database_url, project=project, role="member") as client:
        yield client


def test_a_revoked_key_stops(web, admin, stored):
    key = key_in(create(admin))
    ((key_id, *_),) = stored()
    assert status_with(web, key) == 204
    question = admin.get(f"{PAGE}/{key_id}/revoke")
    assert "Revoke for good" in question.text
    assert status_with(web, key) == 204
    assert send(admin, f"{PAGE}/{key_id}/revoke").status_code == 303
    # both processes are asked: each call has a connection of its own
    wait_until(lambda: 204 not in {status_with(web, key) for _ in range(8)}, timeout_seconds=5)
    assert "is revoked" in admin.get(PAGE).text


def test_a_rotated_key_and_its_successor_both_work_and_the_list_says_until_when(web, admin, stored):
    old = key_in(create(admin, limit="600"))
    ((old_id, *_),) = stored()
    assert "works for" not in admin.get(PAGE).text
    answer = send(admin, f"{PAGE}/{old_id}/rotate", overlap="1h", expiry="90")
    new = key_in(answer)
    assert answer.headers["Cache-Control"] == "no-store"
    assert [status_with(web, key) for key in (old, new)] == [204, 204]
    before, after = stored()
    assert abs(before[4] - datetime.now(UTC) - timedelta(hours=1)) < timedelta(minutes=1)
    assert abs(after[4] - datetime.now(UTC) - timedelta(days=90)) < timedelta(minutes=1)
    assert after[1:4] == before[1:4]
    assert after[6] == old_id
    listed = " ".join(admin.get(PAGE).text.split())
    assert f"replaced by <code>{new[:14]}…</code>, works until" in listed
    assert f"{before[4]:%Y-%m-%d %H:%M} UTC" in listed


def test_a_rotation_that_is_sent_twice_makes_one_key(admin, stored):
    create(admin)
    ((key_id, *_),) = stored()
    assert send(admin, f"{PAGE}/{key_id}/rotate", overlap="24h", expiry="never").status_code == 200
    again = send(admin, f"{PAGE}/{key_id}/rotate", overlap="24h", expiry="never")
    assert (again.status_code, KEY.search(again.text)) == (303, None)
    assert len(stored()) == 2
    assert "rotated already" in admin.get(PAGE).text
    assert "Rotate its successor" in admin.get(f"{PAGE}/{key_id}/rotate").text


@pytest.mark.parametrize("wrong", [{"overlap": "10y"}, {"overlap": ""}, {"overlap": "1h", "expiry": "day"}])
def test_a_wrong_rotation_form_changes_nothing(admin, stored, wrong):
    create(admin)
    before = stored()
    assert send(admin, f"{PAGE}/{before[0][0]}/rotate", **({"expiry": "never"} | wrong)).status_code == 400
    assert stored() == before


def test_a_member_sees_the_keys_and_changes_none(admin, member, stored):
    create(admin, name="nightly batch")
    listed = member.get(PAGE)
    assert "nightly batch" in listed.text
    assert "Revoke" not in listed.text
    assert "Create a key" not in listed.text
    before = stored()
    key_id = before[0][0]
    for path in (PAGE, f"{PAGE}/{key_id}/revoke", f"{PAGE}/{key_id}/rotate"):
        assert member.post(path, data={"csrf_token": csrf_token(member)}).status_code == 403
    for path in (f"{PAGE}/{key_id}/revoke", f"{PAGE}/{key_id}/rotate"):
        assert member.get(path).status_code == 403
    assert stored() == before


def test_a_key_of_another_project_is_not_there(web, database_url, admin, stored):
    create(admin)
    ((key_id, *_),) = stored()
    with signed_in_client(web, database_url, project=f"other-{uuid4()}") as stranger:
        assert "Keys of this project" in stranger.get(PAGE).text
        for action in ("revoke", "rotate"):
            assert stranger.get(f"{PAGE}/{key_id}/{action}").status_code == 404
            answer = send(stranger, f"{PAGE}/{key_id}/{action}", overlap="1h", expiry="never")
            assert answer.status_code == 404
        for key in (0, 2**31, 2**63, 10**30):
            assert stranger.get(f"{PAGE}/{key}/revoke").status_code == 404
    assert stored()[0][4:6] == (None, None)
    assert len(stored()) == 1

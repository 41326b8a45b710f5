"""/dashboard/api-keys: making keys."""

import html
import re
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import httpx
import pytest

from app.core.keys.api_key import is_well_formed
from app.core.stream.events import Event
from tests.api_keys_page import API, KEY, PAGE, create, key_in, status_with

pytestmark = pytest.mark.usefixtures("clean_redis")


def test_a_key_that_an_admin_creates_works_at_once_and_is_shown_once(web, admin, stored):
    answer = create(admin, name=" nightly batch ", read="y", limit="600", unit="hour")
    key = key_in(answer)
    assert (answer.status_code, is_well_formed(key)) == (200, True)
    assert answer.headers["Cache-Control"] == "no-store"
    assert key not in str(answer.headers)
    assert key not in str(answer.url)
    assert status_with(web, key) == 204
    assert key not in admin.get(PAGE).text
    ((_, name, scopes, rate_limit, expires_at, _, _, email),) = stored()
    assert (name, scopes, rate_limit, expires_at) == ("nightly batch", ["ingest", "read"], "600/hour", None)
    assert email.startswith("admin@")


def test_a_form_that_is_sent_twice_makes_one_key_and_shows_it_once(admin, stored):
    once = uuid4().hex
    assert create(admin, once=once).status_code == 200
    again = create(admin, once=once)
    assert (again.status_code, KEY.search(again.text)) == (303, None)
    assert len(stored()) == 1
    assert "shown only once" in admin.get(PAGE).text


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": " "},
        {"name": "a\x00b"},
        {"name": "a\u202eb"},
        {"name": "n" * 201},
        {"ingest": ""},
        {"limit": "0"},
        {"limit": "-5"},
        {"limit": "many"},
        {"limit": "99999999999"},
        {"limit": "5", "unit": "fortnight"},
        {"expiry": "tomorrow"},
        {"expiry": "day"},
        {"expiry": "day", "day": "soon"},
        {"expiry": "day", "day": "2020-01-01"},
        {"expiry": "day", "day": "9999-12-31"},
    ],
)
def test_what_is_wrong_with_the_form_is_said_and_no_key_is_made(admin, stored, wrong):
    answer = create(admin, **wrong)
    assert answer.status_code == 400
    assert 'class="error"' in answer.text
    assert stored() == []


@pytest.mark.parametrize(
    ("fields", "days"), [({"expiry": "30"}, 30), ({"expiry": "365"}, 365), ({"expiry": "30", "day": "2020-01-01"}, 30)]
)
def test_a_key_may_expire_after_some_days(admin, stored, fields, days):
    create(admin, **fields)
    ((*_, expires_at, _, _, _),) = stored()
    assert abs(expires_at - datetime.now(UTC) - timedelta(days=days)) < timedelta(minutes=1)


def test_a_key_that_expires_on_a_day_works_until_its_end(admin, stored):
    today = datetime.now(UTC).date()
    create(admin, expiry="day", day=today.isoformat())
    ((*_, expires_at, _, _, _),) = stored()
    assert (expires_at.date(), expires_at.hour, expires_at.minute) == (today + timedelta(days=1), 0, 0)


def test_the_shown_curl_and_python_send_an_event_as_they_stand(
    web: str, admin: httpx.Client, buffered: Callable[[], list[Event]]
):
    shown = create(admin).text
    curl = shown_code(shown, "curl")
    finished = subprocess.run(["sh", "-c", curl], capture_output=True, text=True, check=True, timeout=20)
    assert "204" in finished.stdout.splitlines()[0]
    assert curl.startswith(f"curl -i {web}{API} ")
    finished = subprocess.run(
        [sys.executable, "-c", shown_code(shown, "python")], capture_output=True, text=True, check=True, timeout=20
    )
    assert finished.stdout == "204\n"
    assert {(str(event.prompt_id), event.version_hash) for event in buffered()} == {
        ("7d6f2f6e-3f0e-4c7e-9d3a-1c2b3a4d5e6f", "v1")
    }
    assert "process.env" not in shown_code(shown, "typescript")


def test_the_code_for_a_key_that_may_only_read_reads(admin):
    shown = create(admin, ingest="", read="y").text
    curl = subprocess.run(
        ["sh", "-c", shown_code(shown, "curl")], capture_output=True, text=True, check=True, timeout=20
    )
    assert '"success":true' in curl.stdout
    python = shown_code(shown, "python")
    finished = subprocess.run([sys.executable, "-c", python], capture_output=True, text=True, check=True, timeout=20)
    assert "'events': 0" in finished.stdout


def shown_code(page: str, language: str) -> str:
    found = re.search(rf'<code id="code-{language}">(.*?)</code>', page, re.DOTALL)
    assert found is not None
    return html.unescape(found[1])

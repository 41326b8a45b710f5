"""/dashboard/system: dead letters, and who may handle them."""

import csv
import html
import io
import re
from typing import Any
from uuid import UUID, uuid4

import httpx
import psycopg
import pytest
import redis

from app.core.stream.events import Event, encode_event, new_event_id
from app.core.stream.state import STREAM
from tests.sign_in import create_project
from tests.system_page import INSERT_DEAD_LETTER, PAGE, letters, send, text
from tests.waiting import wait_until

HOSTILE = b'[1,"<script>alert(1)</script>","\xe2\x80\xae=cmd()",\x00\xff]'


pytestmark = pytest.mark.usefixtures("clean_redis")


def entries(redis_client: redis.Redis) -> list[bytes]:
    found: Any = redis_client.xrange(STREAM)
    return [fields[b"e"] for _, fields in found]


def test_an_admin_sees_and_handles_the_dead_letters_of_the_own_project_only(
    admin, operator, database_url, set_aside, project_id
):
    own = set_aside(project_id, b"own bytes")
    others = {
        set_aside(create_project(database_url, f"other-{uuid4()}"), b"foreign bytes"),
        set_aside(None, b"no project"),
    }
    seen = text(admin.get(PAGE))
    assert "own bytes" in seen
    assert not {"foreign bytes", "no project"} & set(re.findall("own bytes|foreign bytes|no project", seen))
    assert len(admin.get(f"{PAGE}/dead-letters.csv").text.splitlines()) == 2
    for letter in others:
        assert [send(admin, f"{letter}/{action}").status_code for action in ("replay", "discard")] == [404, 404]
    send(admin, "discard", reason="refused")
    assert letters(database_url) == others
    seen = text(operator.get(PAGE))
    assert "foreign bytes" in seen
    assert "no project" in seen
    assert own not in letters(database_url)
    send(operator, "discard", reason="refused")
    assert letters(database_url) == set()


def test_a_replayed_letter_is_in_the_buffer_again_and_its_event_is_stored(
    admin, start, *, database_url, set_aside, project_id, redis_client
):
    payload = encode_event(Event(new_event_id(), project_id, UUID(int=7), "v"))
    letter = set_aside(project_id, payload)
    answer = send(admin, f"{letter}/replay")
    assert answer.status_code == 303
    assert letters(database_url) == set()
    assert entries(redis_client) == [payload]
    start("worker")
    wait_until(lambda: redis_client.xlen(STREAM) == 0, 20)
    with psycopg.connect(database_url) as connection:
        query = "SELECT count(*) FROM events WHERE project_id = %s"
        assert connection.execute(query, [project_id]).fetchone() == (1,)


def replays(client: httpx.Client) -> str:
    found = re.search(r'data-key="replays">(.*?)</p>', client.get(PAGE).text)
    return re.sub(r"<[^>]+>", "", found[1]) if found else ""


def test_a_replay_tells_what_became_of_it(operator, admin, start, *, database_url, set_aside, project_id):
    stored = encode_event(Event(new_event_id(), project_id, UUID(int=7), "v"))
    timed = encode_event(Event(new_event_id(), project_id, UUID(int=7), "v", occurred_at_ms=1_790_000_000_000))
    for payload in (stored, timed, b"no event"):
        set_aside(project_id, payload)
    send(operator, "replay", reason="refused")
    assert re.fullmatch(r"3 replayed since \d\d:\d\d UTC: 0 stored, 0 set aside again, 3 waiting\.", replays(operator))
    start("worker")
    wait_until(lambda: "2 stored, 1 set aside again, 0 waiting." in replays(operator), 30)
    # what is done with it afterwards does not make it stored
    (again,) = letters(database_url)
    send(operator, f"{again}/discard")
    assert "2 stored, 1 set aside again, 0 waiting." in replays(operator)
    # and what others do in the whole service is not the project's
    assert replays(admin) == ""


def test_what_nobody_looked_at_before_it_was_discarded_is_not_called_stored(operator, start, database_url, set_aside):
    letter = set_aside(None, b"no event")
    send(operator, f"{letter}/replay")
    start("worker")
    wait_until(lambda: letters(database_url) - {letter}, 30)
    (again,) = letters(database_url)
    send(operator, f"{again}/discard")
    wait_until(lambda: "0 stored, 0 set aside again, 0 waiting, 1 taken out since." in replays(operator), 30)


def test_a_letter_that_is_replayed_twice_counts_once(operator, start, database_url, set_aside):
    letter = set_aside(None, b"no event")
    start("worker")
    for _ in range(2):
        assert send(operator, f"{letter}/replay").status_code == 303
        wait_until(lambda: letters(database_url), 30)
        (letter,) = letters(database_url)
    wait_until(lambda: re.match(r"1 replayed .*: 0 stored, 1 set aside again, 0 waiting\.", replays(operator)), 30)


def test_all_letters_with_a_reason_are_replayed_and_no_others(admin, database_url, set_aside, project_id, redis_client):
    for number in range(3):
        set_aside(project_id, b"%d" % number, "too large")
    kept = set_aside(project_id, b"other", "not an event")
    assert "too large 3" in re.sub("Letters ", "", text(admin.get(PAGE)))
    assert send(admin, "replay", reason="too large").status_code == 303
    assert entries(redis_client) == [b"0", b"1", b"2"]
    assert letters(database_url) == {kept}
    assert "Put back into the buffer: 3." in text(admin.get(PAGE))
    for reason in ("", "too large", "\0", "'; DROP TABLE dead_letters"):
        assert send(admin, "discard", reason=reason).status_code == 303
    assert letters(database_url) == {kept}


def test_a_letter_that_is_not_there_any_more_is_a_404(admin, set_aside, project_id):
    letter = set_aside(project_id)
    assert send(admin, f"{letter}/discard").status_code == 303
    for gone in (letter, 0, 2**63, 10**30):
        assert send(admin, f"{gone}/discard").status_code == 404


def test_a_letter_stays_where_the_buffer_does_not_take_it(admin, database_url, set_aside, project_id, redis_client):
    letter = set_aside(project_id)
    redis_client.config_set("maxmemory", 1)
    answer = send(admin, f"{letter}/replay")
    redis_client.config_set("maxmemory", 0)
    assert answer.status_code in (429, 503)
    assert letters(database_url) == {letter}


def test_the_bytes_of_a_letter_are_shown_without_effect(operator, set_aside):
    set_aside(None, HOSTILE, "=cmd() <b>")
    answer = operator.get(PAGE)
    assert "<script>alert" not in answer.text
    assert "&lt;script&gt;alert" in answer.text
    assert "\\u202e=cmd()" in answer.text
    assert "\\x00\\xff" in answer.text
    assert "<b>" not in answer.text
    (row,) = csv.DictReader(io.StringIO(operator.get(f"{PAGE}/dead-letters.csv").content.decode("utf-8-sig")))
    assert row["reason"].lstrip("'") == "=cmd() <b>"
    assert not row["reason"].startswith("=")
    assert row["bytes"] == str(len(HOSTILE))


def test_no_more_than_the_beginning_of_a_large_letter_is_shown(operator, set_aside):
    set_aside(None, b"a" * 100_000)
    answer = operator.get(PAGE)
    assert "a" * 400 + "…" in answer.text
    assert "a" * 401 not in answer.text


def test_a_long_list_has_pages_and_the_download_all_of_it(admin, database_url, set_aside, project_id):
    ids = [set_aside(project_id, f"bytes {number}".encode()) for number in range(203)]
    seen: list[str] = []
    page = admin.get(PAGE)
    assert "The oldest 100 of 203" in page.text
    while (onward := re.search(r'href="([^"]+)">Next<', page.text)) is not None:
        seen += re.findall(r'data-key="letter (\d+)"', page.text)
        page = admin.get(html.unescape(onward[1]))
    seen += re.findall(r'data-key="letter (\d+)"', page.text)
    assert seen == [str(letter) for letter in ids]
    assert "Oldest<" in page.text
    assert len(admin.get(f"{PAGE}/dead-letters.csv").text.splitlines()) == 204


def test_the_download_goes_on_beyond_one_look_at_the_table(admin, database_url, no_letters, project_id):
    with psycopg.connect(database_url) as connection, connection.cursor() as cursor:
        cursor.executemany(INSERT_DEAD_LETTER, [(str(number), b"x", "refused", project_id) for number in range(2_500)])
    lines = admin.get(f"{PAGE}/dead-letters.csv").text.splitlines()
    assert len({line.split(",")[0] for line in lines[1:]}) == 2_500

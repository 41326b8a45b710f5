"""Operators see every project, and know where they are no members."""

import html
import re
from collections.abc import Iterator

import httpx
import pytest

from tests.api_keys import create_key
from tests.commands import run_command
from tests.processes import SECRET_KEY
from tests.sign_in import client_of, create_user, signed_in_client, submit

NOTICE = "as an operator. You are not a member of it."
UNMARKED, MARKED = "Projects", "Seen as an operator: you are no member"

pytestmark = pytest.mark.usefixtures("clean_redis", "clean_database")


@pytest.fixture
def operator(clean_database: None, web: str, database_url: str) -> Iterator[httpx.Client]:
    with signed_in_client(web, database_url, project="mine", is_operator=True) as client:
        yield client


def switcher(page: str) -> dict[str, list[str]]:
    """The projects under each heading of the menu."""
    found = re.findall(r'<p class="menu-heading">([^<]+)</p>\s*<ul class="menu-list">(.*?)</ul>', page, re.DOTALL)
    return {heading: [html.unescape(each) for each in re.findall(r"<bdi>(.*?)</bdi>", menu)] for heading, menu in found}


def test_a_project_that_was_made_with_a_key_is_there_for_operators(
    operator: httpx.Client, database_url: str, redis_url: str
):
    servers = {"database_url": database_url, "redis_url": redis_url, "secret_key": SECRET_KEY}
    assert run_command("keys", "create", "--project", "of a key", "--name", "ci", **servers).exit_code == 0
    create_key(database_url, project="Another")
    page = operator.get("/dashboard").text
    assert switcher(page) == {UNMARKED: ["mine"], MARKED: ["Another", "of a key"]}
    assert NOTICE not in page
    theirs = operator.get("/dashboard?project=2")
    assert theirs.status_code == 200
    assert NOTICE in theirs.text


def test_an_operator_acts_as_admin_there_and_can_become_a_member(operator: httpx.Client, database_url: str):
    create_key(database_url, project="theirs")
    members = "/dashboard/members?project=2"
    assert operator.get("/dashboard/api-keys/1/revoke?project=2").status_code == 200
    answer = submit(operator, members, {"email": "admin@mine.example", "role": "member"})
    assert answer.status_code == 303
    page = operator.get(members)
    assert NOTICE not in page.text
    assert switcher(page.text) == {UNMARKED: ["mine", "theirs"]}


def test_an_operator_who_is_in_no_project_starts_in_one_of_the_others(web: str, database_url: str):
    user_id = create_user(database_url, "root@example.com", is_operator=True)
    with client_of(web, database_url, user_id) as operator:
        assert operator.get("/dashboard").status_code == 404
        create_key(database_url, project="theirs")
        answer = operator.get("/dashboard")
        assert (answer.status_code, NOTICE in answer.text) == (200, True)


def test_others_see_only_where_they_are_members(web: str, database_url: str, operator: httpx.Client):
    with signed_in_client(web, database_url, project="another") as admin:
        assert switcher(admin.get("/dashboard").text) == {UNMARKED: ["another"]}
        assert admin.get("/dashboard?project=1").status_code == 404

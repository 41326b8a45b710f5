"""/dashboard/system with more dead letters than anybody counts."""

import pytest

from app.core.queries.dead_letters import COUNTED_LETTERS
from tests.databases import kept_connection
from tests.system_page import PAGE, send, text

INSERT_MANY = """
INSERT INTO dead_letters (entry_id, payload, reason, received_at, project_id)
SELECT %(reason)s || number, '', %(reason)s, now(), %(project_id)s FROM generate_series(1, %(count)s) AS number
"""

pytestmark = pytest.mark.usefixtures("clean_redis", "no_letters")


def add_letters(database_url: str, project_id: int, **count_by_reason: int) -> None:
    with kept_connection(database_url) as connection:
        for reason, count in count_by_reason.items():
            connection.execute(INSERT_MANY, {"reason": reason, "count": count, "project_id": project_id})


def test_all_are_told_where_they_were_counted(admin, database_url, project_id):
    add_letters(database_url, project_id, often=250, seldom=2)
    told = text(admin.get(PAGE))
    assert "The oldest 100 of 252, oldest first" in told
    assert "often 250" in told
    assert "seldom 2" in told


def test_of_very_many_it_says_that_there_are_more(admin, operator, database_url, project_id):
    add_letters(database_url, project_id, first=3, often=2 * COUNTED_LETTERS, last=4)
    for visitor in (admin, operator):
        told = text(visitor.get(PAGE))
        assert "The oldest 100 of more than 10,000, oldest first" in told
        assert "There are more than 10,000: the oldest and the newest of them are counted here" in told
        assert "often at least 9,994" in told
        assert "first at least 3" in told
        assert "last at least 4" in told
        assert "10,000+ set aside" in told, "as the light says it"


def test_what_is_left_of_very_many_is_told_as_that(admin, database_url, project_id):
    add_letters(database_url, project_id, often=2 * COUNTED_LETTERS)
    send(admin, "discard", reason="often")
    assert "Discarded: 500. At least 10,001 are left: do it again for the next 500." in text(admin.get(PAGE))

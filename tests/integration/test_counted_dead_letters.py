"""Dead letters are counted for every page, so no further than anybody needs to know."""

import pytest

from app.core.database import Connection
from app.core.queries.dead_letters import (
    COUNTED_LETTERS,
    count_dead_letters_by_project,
    count_dead_letters_by_reason,
)

INSERT_LETTERS = """
INSERT INTO dead_letters (entry_id, payload, reason, received_at, project_id)
SELECT %(project_id)s::text || %(reason)s || number, '', %(reason)s, now(), nullif(%(project_id)s, 0)
FROM generate_series(1, %(count)s) AS number
"""
READ = "SELECT seq_tup_read + idx_tup_fetch FROM pg_stat_xact_user_tables WHERE relname = 'dead_letters'"

pytestmark = pytest.mark.usefixtures("clean_database")


def add_letters(database: Connection, project_id: int, count: int, reason: str = "reason") -> None:
    """With the project 0: of nobody."""
    database.execute(INSERT_LETTERS, {"project_id": project_id, "count": count, "reason": reason})


def by_reason(database: Connection, project_id: int | None) -> tuple[dict[str, int], bool]:
    found = count_dead_letters_by_reason(database, project_id=project_id)
    return {each.reason: each.letters for each in found.reasons}, found.all_counted


def rows_read(database: Connection) -> int:
    row = database.execute(READ).fetchone()
    assert row is not None
    return int(row[0])


def test_they_are_counted_by_project_also_those_of_nobody(database: Connection):
    assert count_dead_letters_by_project(database) == {}
    add_letters(database, 0, 2)
    assert count_dead_letters_by_project(database) == {None: 2}
    for project_id, count in ((7, 3), (9, 1)):
        add_letters(database, project_id, count)
    assert count_dead_letters_by_project(database) == {7: 3, 9: 1, None: 2}
    database.execute("DELETE FROM dead_letters WHERE project_id IS NULL")
    assert count_dead_letters_by_project(database) == {7: 3, 9: 1}


def test_of_many_no_more_than_the_limit_are_read(database: Connection):
    for project_id, count in ((7, 3 * COUNTED_LETTERS), (0, 2 * COUNTED_LETTERS), (9, 5)):
        add_letters(database, project_id, count)
    database.execute("ANALYZE dead_letters")
    with database.transaction():
        before = rows_read(database)
        assert count_dead_letters_by_project(database) == {7: COUNTED_LETTERS, None: COUNTED_LETTERS, 9: 5}
        assert rows_read(database) - before < 2 * COUNTED_LETTERS + 100


def test_by_reason_all_are_counted_up_to_the_limit(database: Connection):
    assert by_reason(database, None) == by_reason(database, 7) == ({}, True)
    add_letters(database, 7, COUNTED_LETTERS - 2, "often")
    add_letters(database, 0, 2, "seldom")
    assert by_reason(database, None) == ({"often": COUNTED_LETTERS - 2, "seldom": 2}, True)
    assert by_reason(database, 7) == ({"often": COUNTED_LETTERS - 2}, True)
    assert by_reason(database, 8) == ({}, True)


@pytest.mark.parametrize("project_id", [None, 7])
def test_by_reason_both_ends_of_very_many_are_looked_at(database: Connection, project_id: int | None):
    for reason, count in (("first", 3), ("often", 3 * COUNTED_LETTERS), ("last", 4)):
        add_letters(database, 9, count, reason)
        add_letters(database, 7, count, reason)
    database.execute("ANALYZE dead_letters")
    with database.transaction():
        before = rows_read(database)
        reasons, all_counted = by_reason(database, project_id)
        assert rows_read(database) - before < COUNTED_LETTERS + 100
    assert not all_counted
    each_twice = 1 if project_id else 2
    assert (reasons["first"], reasons["last"]) == (3 * each_twice, 4 * each_twice)
    assert sum(reasons.values()) == COUNTED_LETTERS + 1

"""What a look finds: dead letters, and what the comparison of versions says; each once."""

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from uuid import UUID

import psycopg
import pytest

from app.core.database import Connection
from app.core.errors import DatabaseUnavailable, RedisUnavailable
from app.core.news.findings import version_news
from app.core.queries.looks import LETTERS_PAUSE, LETTERS_SETTLE, ComparablePrompt
from app.core.queries.news import News, NewsKind
from tests.news import written
from tests.stored_events import PROMPT, an_event, store_events
from worker.news.looks import Looking, look_at_dead_letters, look_for_news

NOW = datetime.now(UTC)
OTHER_PROMPT = UUID(int=7)
INSERT_LETTER = """
INSERT INTO dead_letters (entry_id, payload, reason, received_at, project_id, failed_at)
VALUES (gen_random_uuid()::text, '', %s, now(), %s, %s)
"""


def nothing_waits() -> timedelta:
    return timedelta(0)


def no_verdicts(_connection: Connection, _prompt: ComparablePrompt, _now: datetime) -> Sequence[News]:
    return []


def use(database_url: str, prompt: UUID = PROMPT, age: timedelta = timedelta(0)) -> None:
    """Two versions, an event each."""
    store_events(database_url, [an_event(1, age, prompt=prompt, version=version) for version in ("v1", "v2")])


def test_only_one_worker_looks_at_a_time(database: Connection, database_url: str):
    entered, leave = threading.Event(), threading.Event()

    def linger() -> timedelta:
        entered.set()
        leave.wait(30)
        return timedelta(0)

    def look_slowly() -> bool:
        with psycopg.connect(database_url, autocommit=True) as connection:
            return look_for_news(connection, Looking(linger, no_verdicts), NOW, compared={})

    with ThreadPoolExecutor(1) as other:
        slow = other.submit(look_slowly)
        assert entered.wait(30)
        assert not look_for_news(database, Looking(nothing_waits, no_verdicts), NOW, compared={})
        leave.set()
        assert slow.result()
    assert look_for_news(database, Looking(nothing_waits, no_verdicts), NOW, compared={})


def set_aside(database: Connection, reason: str, at: datetime, project_id: int | None = 1) -> None:
    database.execute(INSERT_LETTER, [reason, project_id, at])


def letters(database: Connection) -> list[tuple[object, ...]]:
    rows = database.execute("SELECT payload ->> 'letters', payload -> 'reasons' FROM news ORDER BY id").fetchall()
    return list(rows)


def test_dead_letters_are_told_at_once_and_then_those_of_an_hour_together(database: Connection):
    set_aside(database, "broken", NOW)
    set_aside(database, "of nobody", NOW, None)
    set_aside(database, "of a project that is gone", NOW, 99)
    look_at_dead_letters(database, NOW)
    assert letters(database) == [], "it may not be the first to be committed"
    now = NOW + LETTERS_SETTLE
    look_at_dead_letters(database, now)
    for reason in ("broken", "rejected", "rejected"):
        set_aside(database, reason, now)
    for minutes in (1, 30):
        look_at_dead_letters(database, now + timedelta(minutes=minutes))
    assert letters(database) == [("1", ["broken"])]
    database.execute("UPDATE news SET created_at = %s", [now - LETTERS_PAUSE])
    for minutes in (1, 2):
        look_at_dead_letters(database, now + timedelta(minutes=minutes))
    assert letters(database) == [("1", ["broken"]), ("3", ["rejected", "broken"])]


def verdict(prompt: ComparablePrompt, candidate: str) -> News:
    return version_news(
        NewsKind.VERSION_WORSE,
        project_id=prompt.project_id,
        prompt_id=prompt.prompt_id,
        prompt_name=prompt.name,
        baseline=("v1", None),
        candidate=(candidate, None),
        compared="side_by_side",
        decision="worse",
        changes=[],
    )


class Asked:
    """Notes which prompts are compared, and finds something of each."""

    def __init__(self) -> None:
        self.prompts: list[UUID] = []

    def __call__(self, _connection: Connection, prompt: ComparablePrompt, now: datetime) -> Sequence[News]:
        assert now == NOW
        self.prompts.append(prompt.prompt_id)
        return [verdict(prompt, "v2"), verdict(prompt, "v3")]

    def again(self) -> list[UUID]:
        """Since it was last asked."""
        asked, self.prompts = self.prompts, []
        return asked


def test_prompts_with_new_events_are_compared_whenever_these_happened(database: Connection, database_url: str):
    find, compared = Asked(), dict[int, int]()
    for age in (timedelta(0), timedelta(days=29)):
        use(database_url, age=age)
        use(database_url, OTHER_PROMPT, age=age)
        look_for_news(database, Looking(nothing_waits, find), NOW, compared=compared)
        assert find.again() == [PROMPT, OTHER_PROMPT]
        use(database_url, OTHER_PROMPT, age=age)
        look_for_news(database, Looking(nothing_waits, find), NOW, compared=compared)
        assert find.again() == [OTHER_PROMPT]
        look_for_news(database, Looking(nothing_waits, find), NOW, compared=compared)
        assert find.again() == []
    assert len(written(database)) == 4, "each verdict once"


def test_prompts_without_a_second_version_or_a_new_one_are_not_compared(database: Connection, database_url: str):
    store_events(database_url, [an_event(1)])
    use(database_url, OTHER_PROMPT)
    database.execute("UPDATE prompt_versions SET created_at = now() - interval '92 days'")
    find = Asked()
    look_for_news(database, Looking(nothing_waits, find), NOW, compared={})
    assert find.again() == []


def test_who_is_asked_to_stop_leaves_prompts_to_the_next(database: Connection, database_url: str):
    use(database_url)
    find, compared = Asked(), dict[int, int]()
    assert look_for_news(database, Looking(nothing_waits, find), NOW, compared=compared, should_stop=lambda: True)
    assert (find.again(), compared) == ([], {})
    assert look_for_news(database, Looking(nothing_waits, find), NOW, compared=compared)
    assert find.again() == [PROMPT]


def test_a_round_that_is_cut_off_goes_on_with_those_that_have_waited_for_longest(
    database: Connection, database_url: str
):
    prompts = [UUID(int=number) for number in range(1, 5)]
    find, compared = Asked(), dict[int, int]()
    order: list[UUID] = []
    for _ in range(4):
        # all of them have new events each time
        for prompt in prompts:
            use(database_url, prompt)
        look_for_news(
            database, Looking(nothing_waits, find), NOW, compared=compared, should_stop=lambda: len(find.prompts) == 3
        )
        order += find.again()
    assert order == prompts * 3


@pytest.mark.parametrize("error", [DatabaseUnavailable("too much to do"), ZeroDivisionError()])
def test_what_one_look_cannot_do_keeps_no_other_from_being_done(
    database: Connection, database_url: str, error: Exception
):
    for prompt in (PROMPT, OTHER_PROMPT):
        use(database_url, prompt)
    failing = True

    def gone() -> timedelta:
        raise RedisUnavailable("away")

    def find(_connection: Connection, prompt: ComparablePrompt, _now: datetime) -> Sequence[News]:
        if prompt.prompt_id == PROMPT and failing:
            raise error
        return [verdict(prompt, "v2")]

    compared = dict[int, int]()
    assert look_for_news(database, Looking(gone, find), NOW, compared=compared)
    assert [kind for _, kind, _ in written(database)] == ["version_worse"]
    failing = False
    assert look_for_news(database, Looking(gone, find), NOW, compared=compared)
    assert len(written(database)) == 2, "the next round does what this one could not"


def test_news_goes_with_the_transaction_that_found_it(database: Connection, database_url: str):
    use(database_url)

    def find(connection: Connection, prompt: ComparablePrompt, _now: datetime) -> Sequence[News]:
        connection.execute("UPDATE prompts SET name = 'found' WHERE id = %s", [prompt.prompt_key])
        return [verdict(prompt, "v2"), verdict(prompt, "\0")]

    database.execute(
        "ALTER TABLE news ADD CONSTRAINT none CHECK (payload -> 'candidate' ->> 'version_hash' = 'v2') NOT VALID"
    )
    try:
        look_for_news(database, Looking(nothing_waits, find), NOW, compared={})
    finally:
        database.execute("ALTER TABLE news DROP CONSTRAINT none")
    assert written(database) == []
    assert database.execute("SELECT name FROM prompts").fetchall() == [(None,)]

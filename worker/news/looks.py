"""Looking for news: every some seconds one worker asks what is new, and writes it down where it finds it.

Each piece is written in the transaction that found it, and its natural key lets it be written once, whoever looks.
"""

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta

from app.core.database import Connection, database_errors
from app.core.errors import PromptAnalyticsError
from app.core.news.findings import budget_news, dead_letter_news, silence_news
from app.core.news.limits import month_of
from app.core.queries.budgets import select_budgets
from app.core.queries.looks import (
    ComparablePrompt,
    Gaps,
    release_news_lock,
    select_comparable_prompts,
    select_gaps,
    select_new_dead_letters,
    select_silent_projects,
    try_news_lock,
)
from app.core.queries.news import News, insert_news, is_news_written

LATEST = timedelta(days=1)
"""So long after the end of a month what it cost is still looked at: its last events were stored after it."""
LONGEST_KNOWN_GAP = timedelta(hours=12)
"""A project with one gap of at most so much in a week still counts as one that always has events."""

FindVerdicts = Callable[[Connection, ComparablePrompt, datetime], Sequence[News]]
"""The news of a prompt's versions as of a time: app.core.news.findings.version_news for each that has a verdict."""

Compared = dict[int, int]
"""By the keys of prompts, how many events they had when they were last compared (ComparablePrompt.events).

In the order in which they were; FAILED where that came to nothing.
"""
FAILED = -1

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Looking:
    """What a round of looks needs besides a connection.

    `longest_wait` asks Redis how long the oldest entry of the buffer has waited, 0 where there is none; it may raise
    Unavailable.
    """

    longest_wait: Callable[[], timedelta]
    find_verdicts: FindVerdicts


def look_for_news(
    connection: Connection,
    looking: Looking,
    now: datetime,
    *,
    compared: Compared,
    should_stop: Callable[[], bool] = lambda: False,
) -> bool:
    """Do all looks, unless another worker is at it: then False. `compared` is this worker's, and is brought up to date.

    What one look cannot do does not keep the others from being done. Who is asked to stop leaves the prompts that are
    left to the next round. The connection is one in autocommit mode.
    """
    if not try_news_lock(connection):
        return False
    try:
        for look in (look_at_budgets, look_at_dead_letters):
            with _put_off(look.__name__):
                look(connection, now)
        with _put_off(look_at_silence.__name__):
            look_at_silence(connection, looking.longest_wait, now)
        look_at_verdicts(connection, looking.find_verdicts, now, compared=compared, should_stop=should_stop)
    finally:
        release_news_lock(connection)
    return True


def look_at_budgets(connection: Connection, now: datetime) -> None:
    """This month's, and while its last costs may still come in last month's: not those that were set after it."""
    for month in dict.fromkeys((month_of(now - LATEST), month_of(now))):
        with connection.transaction():
            for spend in select_budgets(connection, month.start, month.end, set_before=month.end):
                for news in budget_news(spend, month.start):
                    insert_news(connection, news)


def look_at_dead_letters(connection: Connection, now: datetime) -> None:
    with connection.transaction():
        for found in select_new_dead_letters(connection, now):
            insert_news(connection, dead_letter_news(found))


def look_at_silence(connection: Connection, longest_wait: Callable[[], timedelta], now: datetime) -> None:
    """Raises what `longest_wait` raises.

    As of when the oldest entry of the buffer came, for all that came before it is in PostgreSQL: where other projects
    are busy the buffer is hardly ever empty. It is asked first.
    """
    all_stored_until = now - longest_wait()
    with connection.transaction():
        for silent in select_silent_projects(connection, all_stored_until):
            news = silence_news(silent)
            if not is_news_written(connection, news) and _always_has_events(
                select_gaps(connection, silent, all_stored_until)
            ):
                insert_news(connection, news)


def look_at_verdicts(
    connection: Connection,
    find_verdicts: FindVerdicts,
    now: datetime,
    *,
    compared: Compared,
    should_stop: Callable[[], bool],
) -> None:
    """Each prompt that has got events since it was last compared, in a transaction of its own.

    Events may have happened long before they came, so it is what was stored that counts, not when it happened. Those
    that have waited for longest come first, so that where a round is cut off the next one goes on.
    """
    turns = {key: turn for turn, key in enumerate(compared)}
    found = [
        each for each in select_comparable_prompts(connection, now) if compared.get(each.prompt_key) != each.events
    ]
    for prompt in sorted(found, key=lambda each: turns.get(each.prompt_key, -1)):
        if should_stop():
            return
        compared.pop(prompt.prompt_key, None)
        compared[prompt.prompt_key] = FAILED
        with _put_off("look_at_verdicts"):
            with connection.transaction():
                for news in find_verdicts(connection, prompt, now):
                    insert_news(connection, news)
            compared[prompt.prompt_key] = prompt.events


def _always_has_events(week: Gaps) -> bool:
    if not week.is_old_enough:
        return False
    return week.gaps == 0 or (week.gaps == 1 and week.longest is not None and week.longest <= LONGEST_KNOWN_GAP)


@contextmanager
def _put_off(look: str) -> Iterator[None]:
    """The next round does what this one could not: no server that is away, and no fault of ours, ends the others."""
    try:
        with database_errors():
            yield
    except PromptAnalyticsError as error:
        log.warning("a look for news was put off", extra={"look": look, "reason": str(error)})
    except Exception:
        log.exception("a look for news was put off by an unforeseen error", extra={"look": look})

"""What the worker looks at to find news, and the lock that lets one worker at a time look."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from app.core.contract import OLDEST_TIMESTAMP
from app.core.database import Connection
from app.core.pooled_connection import is_pooled
from app.core.queries.rows import all_rows, one_row
from app.core.queries.session_locks import release_session_lock, try_session_lock
from app.core.rollups.time_range import MINUTES_KEPT

NEWS_LOCK = 0x70615F6E
"""An advisory lock key of our own: "pa_n"."""
TOLD_WITHIN = timedelta(days=1)
"""So long after it could first be told, silence is no news any more: nobody who switches it on wants last week's."""
LETTERS_SETTLE = timedelta(seconds=15)
"""Longer than the transaction that keeps a dead letter: no lower id must come to light after a higher one was told."""
LETTERS_PAUSE = timedelta(hours=1)
"""Dead letters are told at once, and those that follow within so long together."""
EVENTS_COME_FOR = OLDEST_TIMESTAMP + timedelta(days=1)
"""So old an event may be when it comes, with a day to spare."""
LONGEST_VERDICT = timedelta(days=91)
"""So long after a version was registered it is still compared, with a day to spare."""


def try_news_lock(connection: Connection) -> bool:
    """Take the lock if it is free. Through a pooler there is none, and all workers look: each piece is told once."""
    return is_pooled(connection) or try_session_lock(connection, NEWS_LOCK)


def release_news_lock(connection: Connection) -> None:
    if not is_pooled(connection):
        release_session_lock(connection, NEWS_LOCK)


@dataclass(frozen=True, slots=True, kw_only=True)
class SilentProject:
    """A project without an event for as long as silence may last; `last_minute` is that of its last event, in UTC."""

    project_id: int
    silence_minutes: int
    last_minute: datetime


# In parts, because Citus joins no table of its nodes with one that stays here, unless either is summed up before.
SELECT_SILENT_PROJECTS = """
WITH listening AS MATERIALIZED (
    SELECT id, silence_minutes
    FROM projects
    WHERE silence_minutes IS NOT NULL
      AND NOT EXISTS (
          SELECT FROM series
          WHERE series.project_id = projects.id
            AND series.changed_at > %(now)s - make_interval(mins => projects.silence_minutes)
      )
),
unfolded AS MATERIALIZED (
    SELECT project_id, max(bucket_start) AS minute FROM rollup_additions GROUP BY project_id
),
stored AS MATERIALIZED (
    SELECT listening.id, latest.minute
    FROM listening
    CROSS JOIN LATERAL (
        SELECT rollups.bucket_start AS minute
        FROM rollups
        WHERE rollups.project_id = listening.id
          AND rollups.prompt_key = 0
          AND rollups.version_key = 0
          AND rollups.grain = 'minute'
        ORDER BY rollups.bucket_start DESC
        LIMIT 1
    ) AS latest
)
SELECT listening.id AS project_id, listening.silence_minutes, latest.minute AS last_minute
FROM listening
LEFT JOIN unfolded ON unfolded.project_id = listening.id
LEFT JOIN stored ON stored.id = listening.id
CROSS JOIN LATERAL (SELECT greatest(stored.minute, unfolded.minute) AS minute) AS latest
WHERE latest.minute + interval '1 minute' <= %(now)s - make_interval(mins => listening.silence_minutes)
  AND latest.minute > %(now)s - make_interval(mins => listening.silence_minutes) - %(told_within)s
ORDER BY listening.id
"""


def select_silent_projects(connection: Connection, now: datetime) -> list[SilentProject]:
    """Those in which nothing has happened for the minutes that they set, and from which nothing has come either.

    What happened tells the time of events, what came the ledger: whoever sends yesterday's events today is not silent.
    """
    return all_rows(connection, SilentProject, SELECT_SILENT_PROJECTS, {"now": now, "told_within": TOLD_WITHIN})


@dataclass(frozen=True, slots=True, kw_only=True)
class Gaps:
    """The silences of a week: how many of at least so many minutes, and how long the longest was.

    `is_old_enough`: whether there were events before that week, too.
    """

    is_old_enough: bool
    gaps: int
    longest: timedelta | None


def select_gaps(connection: Connection, silent: SilentProject, now: datetime) -> Gaps:
    """Of the seven days before `now`, for which minutes are kept, up to the last event."""
    sql = """
        SELECT EXISTS (
                   SELECT 1 FROM rollups
                   WHERE project_id = %(project_id)s AND prompt_key = 0 AND version_key = 0 AND grain = 'hour'
                     AND bucket_start < %(week_start)s
               ) OR EXISTS (
                   SELECT 1 FROM rollup_additions
                   WHERE project_id = %(project_id)s AND date_trunc('hour', bucket_start, 'UTC') < %(week_start)s
               ) AS is_old_enough,
               count(*) AS gaps, max(gap) AS longest
        FROM (
            SELECT bucket_start - lag(bucket_start, 1, %(week_start)s) OVER (ORDER BY bucket_start) AS gap
            FROM (
                SELECT bucket_start
                FROM rollups
                WHERE project_id = %(project_id)s AND prompt_key = 0 AND version_key = 0 AND grain = 'minute'
                  AND bucket_start >= %(week_start)s
                UNION
                SELECT bucket_start
                FROM rollup_additions
                WHERE project_id = %(project_id)s AND bucket_start >= %(week_start)s
            ) AS counted
        ) AS minutes
        WHERE gap >= make_interval(mins => %(silence_minutes)s)
    """
    parameters = {
        "project_id": silent.project_id,
        "silence_minutes": silent.silence_minutes,
        "week_start": now - MINUTES_KEPT,
    }
    row = one_row(connection, Gaps, sql, parameters)
    assert row is not None
    return row


@dataclass(frozen=True, slots=True, kw_only=True)
class NewDeadLetters:
    """The dead letters of a project that no news has told of; the reasons, the most frequent first."""

    project_id: int
    letters: int
    last_id: int
    reasons: list[str]


def select_new_dead_letters(connection: Connection, now: datetime) -> list[NewDeadLetters]:
    """Of each project that has some, and was not told of others within the last hour."""
    sql = """
        SELECT counted.project_id, sum(counted.letters)::bigint AS letters, max(counted.last_id) AS last_id,
               array_agg(counted.reason ORDER BY counted.letters DESC, counted.reason) AS reasons
        FROM projects
        CROSS JOIN LATERAL (
            SELECT coalesce(max((news.payload ->> 'last_id')::bigint), 0) AS last_id, max(news.created_at) AS told_at
            FROM news
            WHERE news.project_id = projects.id AND news.kind = 'dead_letters'
        ) AS told
        CROSS JOIN LATERAL (
            SELECT dead_letters.project_id, dead_letters.reason, count(*) AS letters, max(dead_letters.id) AS last_id
            FROM dead_letters
            WHERE dead_letters.project_id = projects.id
              AND dead_letters.id > told.last_id
              AND dead_letters.failed_at <= %(settled_at)s
            GROUP BY dead_letters.project_id, dead_letters.reason
        ) AS counted
        WHERE told.told_at IS NULL OR told.told_at <= %(told_before)s
        GROUP BY counted.project_id
        ORDER BY counted.project_id
    """
    parameters = {"settled_at": now - LETTERS_SETTLE, "told_before": now - LETTERS_PAUSE}
    return all_rows(connection, NewDeadLetters, sql, parameters)


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparablePrompt:
    """A prompt with two versions; `prompt_key` names it in rollups.

    `events`: how many it has of the days that may still get some. While that stays, nothing new has been stored.
    """

    project_id: int
    prompt_key: int
    prompt_id: UUID
    name: str | None
    events: int


def select_comparable_prompts(connection: Connection, now: datetime) -> list[ComparablePrompt]:
    """Those of which a version was registered within LONGEST_VERDICT, whenever their events happened.

    At most one row of rollups is read for each prompt and day: 62,000 of 2,000 prompts.
    """
    sql = """
        SELECT prompts.project_id, prompts.id AS prompt_key, prompts.prompt_id, prompts.name, stored.events
        FROM (
            SELECT counted.prompt_key, sum(counted.events)::bigint AS events
            FROM (
                SELECT rollups.prompt_key, rollups.events
                FROM projects
                CROSS JOIN LATERAL (
                    SELECT prompt_key, events
                    FROM rollups
                    WHERE project_id = projects.id AND grain = 'day' AND version_key = 0 AND prompt_key <> 0
                      AND bucket_start >= date_trunc('day', %(now)s::timestamptz - %(events_come_for)s, 'UTC')
                ) AS rollups
                UNION ALL
                SELECT prompt_key, events
                FROM rollup_additions
                WHERE bucket_start >= date_trunc('day', %(now)s::timestamptz - %(events_come_for)s, 'UTC')
            ) AS counted
            GROUP BY counted.prompt_key
        ) AS stored
        JOIN prompts ON prompts.id = stored.prompt_key
        CROSS JOIN LATERAL (
            SELECT count(*) AS versions, max(prompt_versions.created_at) AS latest_at
            FROM prompt_versions
            WHERE prompt_versions.prompt_key = prompts.id AND NOT prompt_versions.is_other
        ) AS registered
        WHERE registered.versions > 1 AND registered.latest_at > %(now)s - %(longest_verdict)s
        ORDER BY prompts.project_id, prompts.id
    """
    parameters = {"now": now, "events_come_for": EVENTS_COME_FOR, "longest_verdict": LONGEST_VERDICT}
    return all_rows(connection, ComparablePrompt, sql, parameters)

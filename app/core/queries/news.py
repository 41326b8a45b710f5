"""News: what happened in a project, written once in the transaction that found it, with a delivery for each webhook."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID

from psycopg.types.json import Jsonb

from app.core.database import Connection
from app.core.queries.deletion import delete_in_batches
from app.core.queries.rows import all_rows, one_value

TRIED_FOR = timedelta(hours=24)
KEPT_DAYS = 400


class NewsKind(StrEnum):
    """What news can be about; the value is what is stored, and the `type` that webhooks get."""

    VERSION_WORSE = "version_worse"
    VERSION_BETTER = "version_better"
    BUDGET = "budget"
    SILENCE = "silence"
    DEAD_LETTERS = "dead_letters"
    TEST = "test"


@dataclass(frozen=True, slots=True, kw_only=True)
class News:
    """A piece of news. Project, kind, subject and period are what makes it one: there is no second with the same.

    `payload` is what JSON can hold; app.core.news.findings builds it, app.core.news.sentences reads it.
    """

    project_id: int
    kind: NewsKind
    subject: str
    period: str
    payload: Mapping[str, Any]


def insert_news(connection: Connection, news: News) -> bool:
    """Write it, with a delivery for each webhook that wants this kind; call it in the transaction that found it.

    False where it was written before. Webhooks that are made later do not get it. One that is being changed is
    waited for: nothing may be left to wait for one that has just been switched off.
    """
    sql = """
        WITH written AS (
            INSERT INTO news (project_id, kind, subject, period, payload)
            VALUES (%(project_id)s, %(kind)s, %(subject)s, %(period)s, %(payload)s)
            ON CONFLICT DO NOTHING
            RETURNING id, project_id, kind
        ),
        addressed AS (
            INSERT INTO deliveries (news_id, webhook_id, give_up_at)
            SELECT written.id, webhooks.id, now() + %(tried_for)s
            FROM written JOIN webhooks USING (project_id)
            WHERE webhooks.is_enabled AND written.kind = ANY (webhooks.kinds)
            FOR SHARE OF webhooks
        )
        SELECT count(*) FROM written
    """
    parameters = {
        "project_id": news.project_id,
        "kind": news.kind.value,
        "subject": news.subject,
        "period": news.period,
        "payload": Jsonb(dict(news.payload)),
        "tried_for": TRIED_FOR,
    }
    return bool(one_value(connection, sql, parameters))


def insert_test_news(connection: Connection, webhook_id: int, *, project_id: int, period: str) -> bool:
    """News for this webhook alone, to try it; False where there is no such webhook that is switched on."""
    sql = """
        WITH wanted AS (
            SELECT id, project_id, name FROM webhooks
            WHERE id = %(webhook_id)s AND project_id = %(project_id)s AND is_enabled
            FOR SHARE
        ),
        written AS (
            INSERT INTO news (project_id, kind, subject, period, payload)
            SELECT project_id, %(kind)s, id::text, %(period)s, jsonb_build_object('webhook', name) FROM wanted
            RETURNING id
        ),
        addressed AS (
            INSERT INTO deliveries (news_id, webhook_id, give_up_at)
            SELECT written.id, wanted.id, now() + %(tried_for)s FROM written CROSS JOIN wanted
        )
        SELECT count(*) FROM written
    """
    parameters = {
        "webhook_id": webhook_id,
        "project_id": project_id,
        "kind": NewsKind.TEST.value,
        "period": period,
        "tried_for": TRIED_FOR,
    }
    return bool(one_value(connection, sql, parameters))


def is_news_written(connection: Connection, news: News) -> bool:
    """For who would otherwise look closely again at what was told long ago."""
    sql = """
        SELECT EXISTS (
            SELECT FROM news
            WHERE project_id = %(project_id)s AND kind = %(kind)s AND subject = %(subject)s AND period = %(period)s
        )
    """
    parameters = {
        "project_id": news.project_id,
        "kind": news.kind.value,
        "subject": news.subject,
        "period": news.period,
    }
    return bool(one_value(connection, sql, parameters))


def is_verdict_told(connection: Connection, project_id: int, subject: str, period: str) -> bool:
    """Whether one of two versions was already told to be better or worse."""
    sql = """
        SELECT EXISTS (
            SELECT FROM news
            WHERE project_id = %(project_id)s AND kind IN ('version_worse', 'version_better')
              AND subject = %(subject)s AND period = %(period)s
        )
    """
    return bool(one_value(connection, sql, {"project_id": project_id, "subject": subject, "period": period}))


@dataclass(frozen=True, slots=True, kw_only=True)
class WrittenNews:
    """News as people and webhooks read it; `project` is the name that the project has now. Times are in UTC."""

    news_id: int
    message_id: UUID
    project_id: int
    project: str
    kind: str
    payload: dict[str, Any]
    created_at: datetime


def select_news(
    connection: Connection,
    project_id: int,
    *,
    kind: str | None = None,
    before: int | None = None,
    limit: int,
) -> list[WrittenNews]:
    """The newest of a project, the newest first, or those of a kind; `before` is the id of one: only older ones."""
    sql = """
        SELECT news.id AS news_id, news.message_id, news.project_id, projects.name AS project, news.kind, news.payload,
               news.created_at
        FROM news JOIN projects ON projects.id = news.project_id
        WHERE news.project_id = %(project_id)s
          AND (%(kind)s::text IS NULL OR news.kind = %(kind)s)
          AND (%(before)s::bigint IS NULL OR news.id < %(before)s)
        ORDER BY news.id DESC
        LIMIT %(limit)s
    """
    parameters = {"project_id": project_id, "kind": kind, "before": before, "limit": limit}
    return all_rows(connection, WrittenNews, sql, parameters)


def delete_old_news(connection: Connection, now: datetime) -> None:
    """Delete what is older than KEPT_DAYS, a batch at a time, and no more batches than one upkeep may take."""
    sql = """
        DELETE FROM news
        WHERE id IN (SELECT id FROM news WHERE created_at < %(before)s ORDER BY created_at LIMIT %(limit)s)
    """
    delete_in_batches(connection, sql, before=now - timedelta(days=KEPT_DAYS))

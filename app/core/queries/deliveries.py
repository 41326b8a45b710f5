"""Deliveries: one piece of news to one webhook, until it was taken or is given up."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID

from app.core.database import Connection
from app.core.queries.deletion import delete_in_batches
from app.core.queries.news import TRIED_FOR
from app.core.queries.rows import all_rows, all_values, one_row

KEPT_DAYS = 30


class DeliveryState(StrEnum):
    """What became of a delivery so far; the value is what is stored."""

    PENDING = "pending"
    DELIVERED = "delivered"
    GIVEN_UP = "given_up"


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimedDelivery:
    """A delivery that the caller alone may attempt until the lease ends, with all that the attempt needs.

    `attempts` counts this one; `attempted_before` is when the one before it began. Times are in UTC.
    """

    delivery_id: int
    lease: UUID
    attempts: int
    attempted_before: datetime | None
    give_up_at: datetime
    webhook_id: int
    sealed_address: bytes
    sealed_secret: bytes
    sealed_previous_secret: bytes | None
    message_id: UUID
    project_id: int
    project: str
    kind: str
    payload: dict[str, Any]
    created_at: datetime


def claim_delivery(connection: Connection, now: datetime, *, lease: timedelta) -> ClaimedDelivery | None:
    """The delivery that has been due for longest; None where there is none. It belongs to the caller for `lease`.

    None of a webhook at which somebody is just now: one that hangs holds up nobody but itself. Whoever dies with a
    delivery leaves it to the next when the lease is over.
    """
    while True:
        with connection.transaction():
            webhook_id = _lock_webhook_in_turn(connection, now)
            claimed = None if webhook_id is None else _claim_delivery_of(connection, webhook_id, now, lease=lease)
        # without one, somebody has just claimed what was seen to be due: the next look sees that
        if webhook_id is None or claimed is not None:
            return claimed


def _lock_webhook_in_turn(connection: Connection, now: datetime) -> int | None:
    """The webhook whose delivery has been due for longest; until the transaction ends nobody else claims one of it."""
    sql = """
        SELECT webhooks.id
        FROM deliveries JOIN webhooks ON webhooks.id = deliveries.webhook_id
        WHERE deliveries.state = 'pending'
          AND deliveries.next_attempt_at <= %(now)s
          AND webhooks.is_enabled
          AND NOT EXISTS (
              SELECT FROM deliveries AS leased
              WHERE leased.webhook_id = webhooks.id AND leased.state = 'pending' AND leased.leased_until > %(now)s
          )
        ORDER BY deliveries.next_attempt_at, deliveries.id
        LIMIT 1
        FOR NO KEY UPDATE OF webhooks SKIP LOCKED
    """
    found: list[int] = all_values(connection, sql, {"now": now})
    return found[0] if found else None


def _claim_delivery_of(
    connection: Connection, webhook_id: int, now: datetime, *, lease: timedelta
) -> ClaimedDelivery | None:
    """Call it with the webhook locked, in a statement after that: only so every lease of others is seen."""
    sql = """
        WITH due AS (
            SELECT deliveries.id, deliveries.attempted_at
            FROM deliveries
            WHERE deliveries.webhook_id = %(webhook_id)s
              AND deliveries.state = 'pending'
              AND deliveries.next_attempt_at <= %(now)s
              AND NOT EXISTS (
                  SELECT FROM deliveries AS leased
                  WHERE leased.webhook_id = %(webhook_id)s AND leased.state = 'pending'
                    AND leased.leased_until > %(now)s
              )
            ORDER BY deliveries.next_attempt_at, deliveries.id
            LIMIT 1
            FOR UPDATE OF deliveries
        )
        UPDATE deliveries
        SET attempts = deliveries.attempts + 1,
            attempted_at = %(now)s,
            lease = gen_random_uuid(),
            leased_until = %(now)s + %(lease)s
        FROM due, webhooks, news, projects
        WHERE deliveries.id = due.id
          AND webhooks.id = deliveries.webhook_id
          AND news.id = deliveries.news_id
          AND projects.id = news.project_id
        RETURNING deliveries.id AS delivery_id, deliveries.lease, deliveries.attempts,
                  due.attempted_at AS attempted_before, deliveries.give_up_at,
                  deliveries.webhook_id, webhooks.sealed_address, webhooks.sealed_secret,
                  CASE WHEN webhooks.previous_secret_until > %(now)s THEN webhooks.sealed_previous_secret END
                      AS sealed_previous_secret,
                  news.message_id, news.project_id, projects.name AS project, news.kind, news.payload, news.created_at
    """
    return one_row(connection, ClaimedDelivery, sql, {"webhook_id": webhook_id, "now": now, "lease": lease})


def end_attempt(
    connection: Connection,
    claimed: ClaimedDelivery,
    *,
    state: DeliveryState,
    next_attempt_at: datetime | None,
    status: int | None,
    answer: str,
    now: datetime,
) -> bool:
    """Write down what came of the attempt; False where the lease was over and somebody else is at it, or done."""
    sql = """
        UPDATE deliveries
        SET state = %(state)s,
            next_attempt_at = coalesce(%(next_attempt_at)s, next_attempt_at),
            ended_at = CASE WHEN %(state)s = 'pending' THEN NULL ELSE %(now)s END,
            lease = NULL,
            leased_until = NULL,
            status = %(status)s,
            answer = %(answer)s
        WHERE id = %(delivery_id)s AND lease = %(lease)s AND state = 'pending'
    """
    parameters = {
        "state": state.value,
        "next_attempt_at": next_attempt_at,
        "now": now,
        "status": status,
        "answer": answer,
        "delivery_id": claimed.delivery_id,
        "lease": claimed.lease,
    }
    return connection.execute(sql, parameters).rowcount == 1


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryRow:
    """A delivery as admins see it: `status` and `answer` are those of the last attempt. Times are in UTC."""

    delivery_id: int
    message_id: UUID
    kind: str
    payload: dict[str, Any]
    project: str
    state: str
    attempts: int
    created_at: datetime
    attempted_at: datetime | None
    next_attempt_at: datetime
    ended_at: datetime | None
    status: int | None
    answer: str | None


def select_deliveries(
    connection: Connection, webhook_id: int, *, before: int | None = None, limit: int
) -> list[DeliveryRow]:
    """The newest of a webhook, the newest first; `before` is the id of one: only older ones."""
    sql = """
        SELECT deliveries.id AS delivery_id, news.message_id, news.kind, news.payload, projects.name AS project,
               deliveries.state, deliveries.attempts, deliveries.created_at, deliveries.attempted_at,
               deliveries.next_attempt_at, deliveries.ended_at, deliveries.status, deliveries.answer
        FROM deliveries
        JOIN news ON news.id = deliveries.news_id
        JOIN projects ON projects.id = news.project_id
        WHERE deliveries.webhook_id = %(webhook_id)s
          AND (%(before)s::bigint IS NULL OR deliveries.id < %(before)s)
        ORDER BY deliveries.id DESC
        LIMIT %(limit)s
    """
    return all_rows(connection, DeliveryRow, sql, {"webhook_id": webhook_id, "before": before, "limit": limit})


def restart_delivery(connection: Connection, delivery_id: int, *, webhook_id: int, now: datetime) -> bool:
    """Try one that was given up again, for as long as a new one; False where this webhook has none such."""
    sql = """
        UPDATE deliveries
        SET state = 'pending', attempts = 0, next_attempt_at = %(now)s, give_up_at = %(now)s + %(tried_for)s,
            ended_at = NULL
        WHERE id = %(delivery_id)s AND webhook_id = %(webhook_id)s AND state = 'given_up'
    """
    parameters = {"now": now, "tried_for": TRIED_FOR, "delivery_id": delivery_id, "webhook_id": webhook_id}
    return connection.execute(sql, parameters).rowcount == 1


def give_up_deliveries(connection: Connection, webhook_id: int, *, answer: str) -> int:
    """Give up what waits for a webhook that gets nothing any more; returns how many. One under way ends by itself."""
    sql = """
        UPDATE deliveries
        SET state = 'given_up', ended_at = now(), answer = %(answer)s, status = NULL, lease = NULL, leased_until = NULL
        WHERE webhook_id = %(webhook_id)s AND state = 'pending'
    """
    return connection.execute(sql, {"webhook_id": webhook_id, "answer": answer}).rowcount


def delete_old_deliveries(connection: Connection, now: datetime) -> None:
    """Delete those that ended and were made more than KEPT_DAYS ago, a batch at a time, as other upkeep does."""
    sql = """
        DELETE FROM deliveries
        WHERE id IN (
            SELECT id FROM deliveries
            WHERE created_at < %(before)s AND state <> 'pending'
            ORDER BY created_at
            LIMIT %(limit)s
        )
    """
    delete_in_batches(connection, sql, before=now - timedelta(days=KEPT_DAYS))

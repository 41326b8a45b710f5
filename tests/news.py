"""Webhooks, news and what becomes of it, for tests."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from app.core.database import Connection, ConnectionPool
from app.core.news.addresses import AddressRules
from app.core.news.sealing import sealing_key
from app.core.news.webhooks import WebhookAddress, create_webhook
from app.core.queries.audit_log import COMMAND_LINE
from app.core.queries.news import News, NewsKind, insert_news
from tests.clocks import Clock
from tests.databases import kept_connection
from tests.processes import SECRET_KEY
from worker.news.delivery import Courier, deliver_next
from worker.news.post import Answer

Send = Callable[[str, bytes, dict[str, str]], Answer]

KEY = sealing_key(SECRET_KEY)
LENIENT = AddressRules(allow_private=True, allow_http=True)
ALL_KINDS = [kind.value for kind in NewsKind]
SELECT_DELIVERIES = """
SELECT id, state, attempts, status, answer, next_attempt_at, ended_at FROM deliveries ORDER BY id
"""


@dataclass(frozen=True)
class Delivery:
    """A delivery as it is stored."""

    delivery_id: int
    state: str
    attempts: int
    status: int | None
    answer: str | None
    next_attempt_at: Any
    ended_at: Any


def make_webhook(
    connection: Connection, url: str, *, project_id: int = 1, kinds: Sequence[str] = ALL_KINDS, name: str = "ops"
) -> tuple[int, str]:
    """Its id, and its secret."""
    made = create_webhook(
        connection,
        KEY,
        project_id,
        name=name,
        address=WebhookAddress(host="127.0.0.1", text=url),
        kinds=kinds,
        by=COMMAND_LINE,
    )
    return made.webhook_id, made.secret


def write_news(connection: Connection, period: str = "1", *, kind: NewsKind = NewsKind.SILENCE) -> bool:
    """News of project 1."""
    payload = {"minutes": 60, "last_event_at": "2026-11-27T09:41Z"}
    with connection.transaction():
        return insert_news(connection, News(project_id=1, kind=kind, subject="project", period=period, payload=payload))


def deliveries(connection: Connection) -> list[Delivery]:
    return [Delivery(*row) for row in connection.execute(SELECT_DELIVERIES).fetchall()]


def written(connection: Connection) -> list[tuple[int, str, str]]:
    """Project, kind and period of all news, the oldest first."""
    return [
        (int(row[0]), str(row[1]), str(row[2]))
        for row in connection.execute("SELECT project_id, kind, period FROM news ORDER BY id").fetchall()
    ]


def delivery_states(database_url: str) -> list[str]:
    with kept_connection(database_url) as connection:
        return [str(state) for (state,) in connection.execute("SELECT state FROM deliveries ORDER BY id").fetchall()]


def courier(send: Send, *, key: bytes = KEY, public_url: str | None = None) -> Courier:
    return Courier(send=send, key=key, public_url=public_url, chance=lambda: 0.5)


def answering(*answers: Answer) -> tuple[Send, list[str]]:
    """A receiver that answers so, the last one for ever, and the ids that it was sent."""
    ids: list[str] = []
    left = list(answers)

    def send(_address: str, _body: bytes, headers: dict[str, str]) -> Answer:
        ids.append(headers["webhook-id"])
        return left.pop(0) if len(left) > 1 else left[0]

    return send, ids


def run_for(pool: ConnectionPool, send: Send, clock: Clock, duration: timedelta) -> None:
    """Attempts all that becomes due in this time, in steps of a minute."""
    for _ in range(int(duration.total_seconds() // 60)):
        while deliver_next(pool, courier(send), clock.now):
            pass
        clock.seconds += 60

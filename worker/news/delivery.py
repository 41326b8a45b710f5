"""One attempt at one delivery: claimed, sent, and written down, each in a transaction of its own.

Whoever is killed after the receiver has taken it and before that is written down leaves it to be sent again, with the
same id: at least once, and never by two at once.
"""

import logging
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from app.core.database import ConnectionPool, connection_from
from app.core.errors import SealBroken, Unavailable
from app.core.news.backoff import next_attempt_at, pause_asked_for
from app.core.news.message import USER_AGENT, message_body, message_name
from app.core.news.sealing import ADDRESS, SECRET, open_sealed
from app.core.news.signing import signed_headers
from app.core.news.webhooks import end_webhook
from app.core.queries.deliveries import ClaimedDelivery, DeliveryState, claim_delivery, end_attempt
from app.core.queries.maintenance import select_now
from worker.news.post import Answer

LEASE = timedelta(seconds=60)
"""Longer than an attempt can take, with PostgreSQL's part in it."""
UNFORESEEN = Answer(None, "An error of this service, which the log of its worker describes, got in the way.")
NEVER_ENDED = Answer(None, "The last attempt did not end: its worker was killed, or lost PostgreSQL.")

log = logging.getLogger(__name__)

Send = Callable[[str, bytes, dict[str, str]], Answer]


@dataclass(frozen=True, slots=True)
class Courier:
    """What deliveries need: `send` posts a body with headers to an address, `chance` is random from 0 to 1."""

    send: Send
    key: bytes = field(repr=False)
    public_url: str | None
    chance: Callable[[], float]


def deliver_next(pool: ConnectionPool, courier: Courier, clock: Callable[[], datetime] | None = None) -> bool:
    """Attempt the delivery that has been due for longest; False where none is. No connection is held meanwhile.

    The time is PostgreSQL's unless `clock` tells it. Raises DatabaseUnavailable.
    """
    with connection_from(pool) as connection:
        now = select_now(connection) if clock is None else clock()
        claimed = claim_delivery(connection, now, lease=LEASE)
    if claimed is None:
        return False
    try:
        answer = _attempt(claimed, courier, now)
        state = _write_down(pool, courier, claimed, answer, clock)
    except Unavailable:
        raise
    except Exception:
        log.exception("an unforeseen error ended an attempt at a delivery", extra={"delivery_id": claimed.delivery_id})
        answer = UNFORESEEN
        state = _write_down(pool, courier, claimed, answer, clock)
    log.log(
        logging.INFO if answer.is_good else logging.WARNING,
        "attempted a delivery of news",
        extra={"delivery_id": claimed.delivery_id, "webhook_id": claimed.webhook_id, "attempt": claimed.attempts}
        | {"project_id": claimed.project_id, "kind": claimed.kind, "status": answer.status, "state": state.value},
    )
    return True


def _attempt(claimed: ClaimedDelivery, courier: Courier, now: datetime) -> Answer:
    if claimed.attempted_before is not None and claimed.attempted_before >= claimed.give_up_at:
        return NEVER_ENDED
    try:
        address = open_sealed(courier.key, claimed.sealed_address, purpose=ADDRESS, project_id=claimed.project_id)
        with_secrets = [open_sealed(courier.key, claimed.sealed_secret, purpose=SECRET, project_id=claimed.project_id)]
    except SealBroken as error:
        return Answer(None, f"Not sent: {error}. Enter the address again and replace the secret.")
    if claimed.sealed_previous_secret is not None:
        # of a SECRET_KEY of long ago: it was replaced for that very reason
        with suppress(SealBroken):
            previous = open_sealed(
                courier.key, claimed.sealed_previous_secret, purpose=SECRET, project_id=claimed.project_id
            )
            with_secrets.append(previous)
    body = message_body(
        claimed.message_id,
        claimed.kind,
        claimed.payload,
        project_id=claimed.project_id,
        project=claimed.project,
        created_at=claimed.created_at,
        public_url=courier.public_url,
    )
    signed = signed_headers(message_name(claimed.message_id), int(now.timestamp()), body, with_secrets)
    return courier.send(address, body, {"Content-Type": "application/json", "User-Agent": USER_AGENT, **signed})


def _write_down(
    pool: ConnectionPool,
    courier: Courier,
    claimed: ClaimedDelivery,
    answer: Answer,
    clock: Callable[[], datetime] | None,
) -> DeliveryState:
    with connection_from(pool) as connection:
        now = select_now(connection) if clock is None else clock()
        state, again_at = _outcome(claimed, answer, now, chance=courier.chance())
        with connection.transaction():
            end_attempt(
                connection,
                claimed,
                state=state,
                next_attempt_at=again_at,
                status=answer.status,
                answer=answer.text,
                now=now,
            )
            if answer.is_gone:
                end_webhook(connection, claimed.project_id, claimed.webhook_id, sealed_address=claimed.sealed_address)
    return state


def _outcome(
    claimed: ClaimedDelivery, answer: Answer, now: datetime, *, chance: float
) -> tuple[DeliveryState, datetime | None]:
    if answer.is_good:
        return DeliveryState.DELIVERED, None
    if answer.is_gone:
        return DeliveryState.GIVEN_UP, None
    asked = pause_asked_for(answer.retry_after, now)
    again_at = next_attempt_at(claimed.attempts, now, claimed.give_up_at, chance=chance, asked=asked)
    return (DeliveryState.GIVEN_UP if again_at is None else DeliveryState.PENDING), again_at

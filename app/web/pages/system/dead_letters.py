"""Replay, discard and download dead letters, by id or all of one reason.

An admin does so with those of the project; an operator with those of the whole service.
"""

import itertools
import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from flask import flash, redirect, request, url_for
from werkzeug.wrappers import Response

from app.core.database import MAX_BIGINT, Connection
from app.core.errors import NotFound, RedisFull, RedisUnavailable
from app.core.operations.dead_letter_disposal import dispose
from app.core.operations.replays import Replayed, follow_replays, replayed
from app.core.queries.audit_log import Action, Actor
from app.core.queries.dead_letters import (
    DeadLetter,
    DeadLetterReasons,
    count_dead_letters_by_reason,
    select_dead_letter_ids,
    select_dead_letters,
)
from app.core.stream.dead_letters import Disposal, give_up, put_back
from app.web.pages.access.blueprint import page_blueprint
from app.web.pages.access.guards import signed_in
from app.web.pages.layout.csv_download import csv_table
from app.web.pages.layout.paging import all_chunks
from app.web.pages.system.facts import PREVIEW_BYTES, preview, visible_project
from app.web.request_context import actor, visitor
from app.web.services import ask_database, asker, services

CHUNK_LETTERS = 1_000
AT_ONCE = 500
LONGEST_SECONDS = 3.0
"""So many dead letters are replayed or discarded by one click, and for so long: the page must answer in time."""

CSV_COLUMNS: dict[str, Callable[[DeadLetter], object]] = {
    "id": lambda letter: letter.dead_letter_id,
    "reason": lambda letter: letter.reason,
    "received_at": lambda letter: letter.received_at,
    "failed_at": lambda letter: letter.failed_at,
    "bytes": lambda letter: letter.payload_bytes,
    "project_id": lambda letter: letter.project_id,
    "payload_preview": preview,
}

blueprint = page_blueprint("dead_letters")

log = logging.getLogger(__name__)


@blueprint.post("/dashboard/system/dead-letters/<int:dead_letter_id>/replay")
@signed_in("admin")
def replay(dead_letter_id: int) -> Response:
    with _followed() as disposal:
        _take_out_one(dead_letter_id, disposal, Action.LETTERS_REPLAYED)
    services().wake_worker()
    return _done("dead letter replayed", "Put back into the buffer. If it fails again, it comes back here.", 1)


@blueprint.post("/dashboard/system/dead-letters/<int:dead_letter_id>/discard")
@signed_in("admin")
def discard(dead_letter_id: int) -> Response:
    _take_out_one(dead_letter_id, give_up, Action.LETTERS_DISCARDED)
    return _done("dead letter discarded", "Discarded.", 1)


@blueprint.post("/dashboard/system/dead-letters/replay")
@signed_in("admin")
def replay_all() -> Response:
    with _followed() as disposal:
        count, rest = _take_out_by_reason(disposal, Action.LETTERS_REPLAYED)
    services().wake_worker()
    return _done("dead letters replayed", f"Put back into the buffer: {count}.{rest}", count)


@blueprint.post("/dashboard/system/dead-letters/discard")
@signed_in("admin")
def discard_all() -> Response:
    count, rest = _take_out_by_reason(give_up, Action.LETTERS_DISCARDED)
    return _done("dead letters discarded", f"Discarded: {count}.{rest}", count)


@blueprint.get("/dashboard/system/dead-letters.csv")
@signed_in("admin")
def download() -> Response:
    """All of them, however many, read while they are sent."""
    ask, project_id = asker(select_dead_letters), visible_project()

    def newer(letter: DeadLetter | None) -> list[DeadLetter]:
        after = 0 if letter is None else letter.dead_letter_id
        return ask(limit=CHUNK_LETTERS, after=after, project_id=project_id, preview_bytes=PREVIEW_BYTES)

    # the first chunk now: where it fails, that is still an answer of its own
    return csv_table("dead-letters.csv", CSV_COLUMNS, all_chunks(newer(None), newer, chunk_size=CHUNK_LETTERS))


@contextmanager
def _followed() -> Iterator[Disposal]:
    """What puts letters back, so that the system page tells what became of them; where Redis has room to note it."""
    letters: dict[str, Replayed] = {}
    yield put_back(services().buffer, lambda entry_id, letter: letters.update({entry_id: replayed(letter)}))
    with suppress(RedisFull, RedisUnavailable):
        follow_replays(services().redis, visible_project(), letters)


def _take_out_one(dead_letter_id: int, disposal: Disposal, action: Action) -> None:
    ids = [dead_letter_id] if dead_letter_id <= MAX_BIGINT else []
    subject = f"dead letter {dead_letter_id}"
    if not ask_database(dispose, ids, disposal, action, actor(), subject=subject, project_id=visible_project()):
        raise NotFound("there is no such dead letter in this project")


def _take_out_by_reason(disposal: Disposal, action: Action) -> tuple[int, str]:
    """How many were taken out, and what is left, in words."""
    reason = request.form.get("reason", "").replace("\0", "")
    return ask_database(_take_out_in_time, disposal, action, actor(), reason=reason, project_id=visible_project())


def _take_out_in_time(
    connection: Connection, disposal: Disposal, action: Action, by: Actor, *, reason: str, project_id: int | None
) -> tuple[int, str]:
    ids = select_dead_letter_ids(connection, project_id=project_id, reason=reason, limit=AT_ONCE)
    until = time.monotonic() + LONGEST_SECONDS
    in_time = itertools.takewhile(lambda _: time.monotonic() < until, ids)
    taken = dispose(connection, in_time, disposal, action, by, subject=reason, project_id=project_id)
    left = count_dead_letters_by_reason(connection, project_id=project_id)
    return len(taken), _rest(left, reason)


def _rest(counted: DeadLetterReasons, reason: str) -> str:
    left = next((each.letters for each in counted.reasons if each.reason == reason), 0)
    if not left and counted.all_counted:
        return ""
    how_many = f"{left:,} are" if counted.all_counted else f"At least {left:,} are" if left else "More may be"
    return f" {how_many} left: do it again for the next {min(left, AT_ONCE) or AT_ONCE}."


def _done(event: str, message: str, count: int) -> Response:
    log.info(event, extra={"count": count, "user_id": visitor().user_id, "project_id": visitor().project_id})
    flash(message, "success")
    return redirect(url_for("pages_system.system"), code=303)

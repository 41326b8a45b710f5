"""/dashboard/system: whether events flow, what was set aside, and what was refused.

An admin sees the dead letters and refusals of the project; an operator those of the whole service, also what belongs
to no project.
"""

import itertools
import logging
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import NamedTuple

from flask import flash, redirect, request, url_for
from werkzeug.wrappers import Response

from app.core.database import MAX_BIGINT, Connection
from app.core.errors import NotFound
from app.core.operations.refusals import count_refusals
from app.core.queries.dead_letters import (
    DeadLetter,
    DeadLetterReason,
    count_dead_letters_by_reason,
    select_dead_letter_ids,
    select_dead_letters,
)
from app.core.queries.status import select_events_stored
from app.core.stream.dead_letters import Disposal, give_up, put_back, take_out
from app.web.health import current_problems
from app.web.pages.access.blueprint import page_blueprint
from app.web.pages.access.guards import signed_in
from app.web.pages.layout.csv_download import csv_response
from app.web.pages.layout.rendering import page
from app.web.pages.system.facts import CHECKS, REFUSAL_MEANINGS, redis_facts
from app.web.request_context import visitor
from app.web.services import ask_database, services

SHOWN_LETTERS = 100
DOWNLOADED_LETTERS = 10_000
PREVIEW_BYTES = 400
AT_ONCE = 500
LONGEST_SECONDS = 3.0
"""So many dead letters are replayed or discarded by one click, and for so long: the page must answer in time."""

blueprint = page_blueprint("system")

log = logging.getLogger(__name__)


class DatabaseFacts(NamedTuple):
    """What PostgreSQL tells."""

    events_stored: int
    reasons: list[DeadLetterReason]
    letters: list[DeadLetter]


@blueprint.get("/dashboard/system")
@signed_in("admin")
def system() -> Response:
    """The page; what a server does not tell is left out."""
    now = datetime.now(UTC)
    project_id = _visible_project()
    problems = current_problems()
    at_work = services()
    answers = problems.get("postgresql", "") is None and problems.get("migrations", "") is None
    return page(
        "system/system.html",
        active="system",
        now=now,
        checks=sorted(((CHECKS[name], problem) for name, problem in problems.items()), key=lambda check: not check[1]),
        in_redis=redis_facts(at_work.redis, at_work.buffer, now, project_id=project_id),
        in_database=ask_database(_database_reader(project_id)) if answers else None,
        preview=preview,
        meanings=REFUSAL_MEANINGS,
        max_events=at_work.settings.buffer_max_events,
        at_once=AT_ONCE,
    )


@blueprint.post("/dashboard/system/dead-letters/<int:dead_letter_id>/replay")
@signed_in("admin")
def replay(dead_letter_id: int) -> Response:
    _take_out_one(dead_letter_id, put_back(services().buffer))
    services().wake_worker()
    return _done("dead letter replayed", "Put back into the buffer. If it fails again, it comes back here.", 1)


@blueprint.post("/dashboard/system/dead-letters/<int:dead_letter_id>/discard")
@signed_in("admin")
def discard(dead_letter_id: int) -> Response:
    _take_out_one(dead_letter_id, give_up)
    return _done("dead letter discarded", "Discarded.", 1)


@blueprint.post("/dashboard/system/dead-letters/replay")
@signed_in("admin")
def replay_all() -> Response:
    count, left = _take_out_by_reason(put_back(services().buffer))
    services().wake_worker()
    return _done("dead letters replayed", f"Put back into the buffer: {count}.{_rest(left)}", count)


@blueprint.post("/dashboard/system/dead-letters/discard")
@signed_in("admin")
def discard_all() -> Response:
    count, left = _take_out_by_reason(give_up)
    return _done("dead letters discarded", f"Discarded: {count}.{_rest(left)}", count)


@blueprint.get("/dashboard/system/dead-letters.csv")
@signed_in("admin")
def download() -> Response:
    project_id = _visible_project()
    letters = ask_database(
        lambda connection: select_dead_letters(
            connection, limit=DOWNLOADED_LETTERS, project_id=project_id, preview_bytes=PREVIEW_BYTES
        )
    )
    return csv_response(
        "dead-letters.csv",
        ("id", "reason", "received_at", "failed_at", "bytes", "project_id", "payload_preview"),
        (
            (
                *(letter.dead_letter_id, letter.reason, letter.received_at, letter.failed_at),
                *(letter.payload_bytes, letter.project_id, preview(letter)),
            )
            for letter in letters
        ),
    )


@blueprint.get("/dashboard/system/refusals.csv")
@signed_in("admin")
def download_refusals() -> Response:
    refusals = count_refusals(services().redis, datetime.now(UTC), project_id=_visible_project())
    return csv_response(
        "refusals.csv",
        ("code", "meaning", "last_hour", "last_24h"),
        ((each.code, REFUSAL_MEANINGS.get(each.code), each.last_hour, each.last_day) for each in refusals),
    )


def preview(letter: DeadLetter) -> str:
    """The beginning of the bytes as a line of text in which nothing is invisible, with an ellipsis where it goes on."""
    text = letter.preview.decode("utf-8", "backslashreplace")
    visible = "".join(each if each.isprintable() else each.encode("unicode_escape").decode() for each in text)
    return visible + ("…" if letter.payload_bytes > len(letter.preview) else "")


def _visible_project() -> int | None:
    return None if visitor().user.is_operator else visitor().project_id


def _database_reader(project_id: int | None) -> Callable[[Connection], DatabaseFacts]:
    def read(connection: Connection) -> DatabaseFacts:
        return DatabaseFacts(
            select_events_stored(connection, project_id=project_id),
            count_dead_letters_by_reason(connection, project_id=project_id),
            select_dead_letters(connection, limit=SHOWN_LETTERS, project_id=project_id, preview_bytes=PREVIEW_BYTES),
        )

    return read


def _take_out_one(dead_letter_id: int, disposal: Disposal) -> None:
    project_id = _visible_project()
    ids = [dead_letter_id] if dead_letter_id <= MAX_BIGINT else []
    if not ask_database(lambda connection: take_out(connection, ids, disposal, project_id=project_id)):
        raise NotFound("there is no such dead letter in this project")


def _take_out_by_reason(disposal: Disposal) -> tuple[int, int]:
    """How many were taken out, and how many are left."""
    project_id, reason = _visible_project(), request.form.get("reason", "").replace("\0", "")

    def take(connection: Connection) -> tuple[int, int]:
        ids = select_dead_letter_ids(connection, project_id=project_id, reason=reason, limit=AT_ONCE)
        until = time.monotonic() + LONGEST_SECONDS
        in_time = itertools.takewhile(lambda _: time.monotonic() < until, ids)
        taken = take_out(connection, in_time, disposal, project_id=project_id)
        left = count_dead_letters_by_reason(connection, project_id=project_id)
        return len(taken), next((each.letters for each in left if each.reason == reason), 0)

    return ask_database(take)


def _rest(left: int) -> str:
    return f" {left:,} are left: do it again for the next {min(left, AT_ONCE)}." if left else ""


def _done(event: str, message: str, count: int) -> Response:
    log.info(event, extra={"count": count, "user_id": visitor().user_id, "project_id": visitor().project_id})
    flash(message, "success")
    return redirect(url_for("pages_system.system"), code=303)

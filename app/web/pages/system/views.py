"""/dashboard/system: whether events flow, what was set aside, and what was refused.

An admin sees the dead letters and refusals of the project; an operator those of the whole service, also what belongs
to no project. The setting of proxies is an operator's, too. While PostgreSQL is away nobody knows who is who: then the
page has no more than everybody may know.
"""

from collections.abc import Callable
from datetime import UTC, datetime

from flask import request
from werkzeug.wrappers import Response

from app.core.operations.health import DatabaseHealth, RedisHealth, health_of
from app.core.operations.readiness import Problems
from app.core.operations.refusals import RefusalCount, count_refusals
from app.core.queries.dead_letters import COUNTED_LETTERS
from app.core.runbook import document_path, runbook_path
from app.web.health import current_problems
from app.web.pages.access.blueprint import page_blueprint
from app.web.pages.access.guards import signed_in
from app.web.pages.layout.csv_download import csv_table
from app.web.pages.layout.formatting import as_of
from app.web.pages.layout.health_words import heading_of
from app.web.pages.layout.overflow_words import overflow_notices
from app.web.pages.layout.paging import read_id
from app.web.pages.layout.rendering import NavigationItem, page
from app.web.pages.system.dead_letters import AT_ONCE
from app.web.pages.system.facts import (
    CHECKS,
    LONG_UNFOLDED_SECONDS,
    REFUSAL_MEANINGS,
    DatabaseFacts,
    buffer_state,
    database_facts,
    preview,
    redis_facts,
    replica_words,
    visible_project,
)
from app.web.proxies import notice_proxy
from app.web.request_context import context, visitor
from app.web.services import ask_database, services

REFUSALS_CSV: dict[str, Callable[[RefusalCount], object]] = {
    "code": lambda refusal: refusal.code,
    "meaning": lambda refusal: REFUSAL_MEANINGS.get(refusal.code),
    "last_hour": lambda refusal: refusal.last_hour,
    "last_24h": lambda refusal: refusal.last_day,
}

NAVIGATION_WITHOUT_DATABASE = (
    NavigationItem("system", "System", "/dashboard/system"),
    NavigationItem("runbook", "Runbook", "/docs/runbook"),
)

blueprint = page_blueprint("system")


def _system_without_database() -> Response:
    """The checks, which /readyz tells everybody, and how much waits."""
    problems = current_problems()
    health = context().health
    assert health is not None
    return page(
        "system/without_database.html",
        active="system",
        navigation=NAVIGATION_WITHOUT_DATABASE,
        as_of=as_of(datetime.now(UTC)),
        checks=_checks(problems),
        delays=[],
        heading=heading_of(health),
        runbook_path=runbook_path,
        buffer=buffer_state(services().buffer),
        max_events=services().settings.buffer_max_events,
    )


@blueprint.get("/dashboard/system")
@signed_in("admin", without_database=_system_without_database)
def system() -> Response:
    """The page; what a server does not tell is left out."""
    now = datetime.now(UTC)
    project_id = visible_project()
    letters_after = read_id(request.args.get("letters_after")) or 0
    problems = current_problems()
    at_work = services()
    standing = at_work.replica.standing() if at_work.replica else None
    in_redis = redis_facts(at_work.redis, at_work.buffer, now, project_id=project_id)
    answers = problems.get("postgresql", "") is None and problems.get("migrations", "") is None
    in_database = _database_facts(now, project_id, letters_after) if answers else None
    # the light of this page is about what this page shows
    health = context().health = health_of(
        RedisHealth(problems, in_redis.buffer if in_redis else None, now),
        DatabaseHealth({}, {None: in_database.counted.letters} if in_database else None),
        project_id=project_id,
        sees_all=True,
    )
    return page(
        "system/system.html",
        active="system",
        as_of=as_of(now),
        volatile=[as_of(now)],
        checks=_checks(problems),
        delays=[reason for reason in health.reasons if reason.state == "delayed"],
        heading=heading_of(health),
        in_redis=in_redis,
        replica=standing,
        replica_words=replica_words(standing),
        in_database=in_database,
        overflows=in_database and overflow_notices(in_database.overflows, now, with_projects=project_id is None),
        letters_after=letters_after,
        preview=preview,
        runbook_path=runbook_path,
        long_unfolded_seconds=LONG_UNFOLDED_SECONDS,
        managed_redis_path=document_path("managed-redis"),
        meanings=REFUSAL_MEANINGS,
        max_events=at_work.settings.buffer_max_events,
        at_once=AT_ONCE,
        counted_letters=COUNTED_LETTERS,
        unknown_proxy=visitor().user.is_operator and notice_proxy(request.environ),
    )


def _checks(problems: Problems) -> list[tuple[str, str | None, str]]:
    """Each with its label, its problem and the path of its entry."""
    return [(CHECKS[name], problem, runbook_path(name)) for name, problem in problems.items()]


def _database_facts(now: datetime, project_id: int | None, letters_after: int) -> DatabaseFacts:
    return ask_database(database_facts, services().redis, now, project_id=project_id, letters_after=letters_after)


@blueprint.get("/dashboard/system/refusals.csv")
@signed_in("admin")
def download_refusals() -> Response:
    refusals = count_refusals(services().redis, datetime.now(UTC), project_id=visible_project())
    return csv_table("refusals.csv", REFUSALS_CSV, refusals)

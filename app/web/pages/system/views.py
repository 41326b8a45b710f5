"""/dashboard/system: whether events flow, what was set aside, and what was refused.

An admin sees the dead letters and refusals of the project; an operator those of the whole service, also what belongs
to no project. The setting of proxies is an operator's, too.
"""

from collections.abc import Callable
from datetime import UTC, datetime

from flask import request
from werkzeug.wrappers import Response

from app.core.operations.refusals import RefusalCount, count_refusals
from app.core.runbook import runbook_path
from app.web.health import current_problems
from app.web.pages.access.blueprint import page_blueprint
from app.web.pages.access.guards import signed_in
from app.web.pages.layout.csv_download import csv_table
from app.web.pages.layout.paging import read_id
from app.web.pages.layout.rendering import page
from app.web.pages.system.dead_letters import AT_ONCE
from app.web.pages.system.facts import (
    CHECKS,
    REFUSAL_MEANINGS,
    DatabaseFacts,
    database_facts,
    preview,
    redis_facts,
    visible_project,
)
from app.web.proxies import notice_proxy
from app.web.request_context import visitor
from app.web.services import ask_database, services

REFUSALS_CSV: dict[str, Callable[[RefusalCount], object]] = {
    "code": lambda refusal: refusal.code,
    "meaning": lambda refusal: REFUSAL_MEANINGS.get(refusal.code),
    "last_hour": lambda refusal: refusal.last_hour,
    "last_24h": lambda refusal: refusal.last_day,
}

blueprint = page_blueprint("system")


@blueprint.get("/dashboard/system")
@signed_in("admin")
def system() -> Response:
    """The page; what a server does not tell is left out."""
    now = datetime.now(UTC)
    project_id = visible_project()
    letters_after = read_id(request.args.get("letters_after")) or 0
    problems = current_problems()
    at_work = services()
    answers = problems.get("postgresql", "") is None and problems.get("migrations", "") is None
    return page(
        "system/system.html",
        active="system",
        now=now,
        checks=sorted(
            ((CHECKS[name], problem, runbook_path(name)) for name, problem in problems.items()),
            key=lambda check: not check[1],
        ),
        in_redis=redis_facts(at_work.redis, at_work.buffer, now, project_id=project_id),
        in_database=_database_facts(project_id, letters_after) if answers else None,
        letters_after=letters_after,
        preview=preview,
        runbook_path=runbook_path,
        meanings=REFUSAL_MEANINGS,
        max_events=at_work.settings.buffer_max_events,
        at_once=AT_ONCE,
        unknown_proxy=visitor().user.is_operator and notice_proxy(request.environ),
    )


def _database_facts(project_id: int | None, letters_after: int) -> DatabaseFacts:
    return ask_database(database_facts, project_id=project_id, letters_after=letters_after)


@blueprint.get("/dashboard/system/refusals.csv")
@signed_in("admin")
def download_refusals() -> Response:
    refusals = count_refusals(services().redis, datetime.now(UTC), project_id=visible_project())
    return csv_table("refusals.csv", REFUSALS_CSV, refusals)

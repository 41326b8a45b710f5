"""/dashboard: a project in a range of time, and its prompts."""

import json
from datetime import UTC, datetime

from flask import request
from werkzeug.wrappers import Response

from app.core.analytics.project_overview import read_project_overview, read_prompts
from app.core.contract import EXAMPLE_EVENT
from app.core.operations.overflows import read_overflows
from app.web.pages.access.blueprint import page_blueprint
from app.web.pages.access.guards import signed_in
from app.web.pages.charts.chart import dotted_words
from app.web.pages.charts.distribution import latency_histogram
from app.web.pages.charts.measures import hidden_lines, page_of_range
from app.web.pages.charts.paths import sparkline
from app.web.pages.dashboard.change_words import change_list
from app.web.pages.dashboard.first_steps import first_steps
from app.web.pages.dashboard.project_charts import project_charts
from app.web.pages.dashboard.prompt_table import CSV_COLUMNS, PROMPTS, change_of_prompt
from app.web.pages.layout.csv_download import csv_table
from app.web.pages.layout.overflow_words import overflow_notices
from app.web.pages.layout.ranges import read_range
from app.web.pages.layout.tables import LONGEST_SEARCH, in_order, page_of, read_table_query
from app.web.proxies import public_url_for
from app.web.reading import ask_snapshot
from app.web.request_context import visitor
from app.web.services import ask_database, services

MOST_OVERFLOWS = 3
"""More would push away what the page is for; the system page has more of them."""

blueprint = page_blueprint("dashboard")


@blueprint.get("/dashboard")
@signed_in()
def dashboard() -> Response:
    """The page; a range or a number of a page that makes no sense is told on it. 503 without PostgreSQL."""
    now = datetime.now(UTC)
    shown, query = read_range(request.args, now), read_table_query(PROMPTS, request.args)
    found = ask_snapshot(
        read_project_overview,
        visitor().project_id,
        shown.time_range,
        interval=shown.interval,
        now=now,
        search=query.search,
    )
    told = ask_database(read_overflows, services().redis, now, project_id=visitor().project_id, limit=MOST_OVERFLOWS)
    steps = None if found.ever_used else first_steps()
    return page_of_range(
        "dashboard/dashboard.html",
        shown,
        now,
        found.period,
        truncated=found.listed.truncated,
        query=query,
        charts=project_charts(found.period, found.began, hidden=hidden_lines(request.args)),
        latencies=latency_histogram(found.period.latencies),
        overflows=overflow_notices(told, now),
        spend=found.changes.spend,
        ever_used=found.ever_used,
        first_steps=steps,
        volatile=[steps.once] if steps and steps.once else [],
        table=page_of(found.listed.rows, query),
        changes=change_list(found.changes),
        change_of_prompt=change_of_prompt,
        longest_search=LONGEST_SEARCH,
        sparkline=lambda prompt: sparkline(prompt.activity, found.activity_whole),
        dotted_trends="" if all(found.activity_whole) else dotted_words(found.activity_by),
        ingest_url=public_url_for("ingest.log_event"),
        example_event=json.dumps(EXAMPLE_EVENT, indent=2),
    )


@blueprint.get("/dashboard/prompts.csv")
@signed_in()
def prompts_csv() -> Response:
    now = datetime.now(UTC)
    shown, query = read_range(request.args, now), read_table_query(PROMPTS, request.args)
    found = ask_snapshot(read_prompts, visitor().project_id, shown.time_range, now=now, search=query.search)
    return csv_table("prompts.csv", CSV_COLUMNS, in_order(found.rows, query))

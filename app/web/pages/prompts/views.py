"""/dashboard/prompts/<id>: the versions of a prompt side by side, and names for both."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from flask import flash, redirect, request, url_for
from werkzeug.wrappers import Response

from app.core.analytics.prompt_overview import PromptOverview, VersionSummary, read_prompt_overview, read_versions
from app.core.errors import NotFound
from app.core.names import LONGEST_LABEL
from app.core.queries.names import update_prompt_name, update_version_name
from app.web.pages.access.blueprint import page_blueprint
from app.web.pages.access.guards import signed_in
from app.web.pages.charts.chart import Chart, Line, build_chart
from app.web.pages.charts.measures import OF_VERSIONS, buckets_of, page_of_range
from app.web.pages.layout.csv_download import csv_table
from app.web.pages.layout.formatting import visible_text
from app.web.pages.layout.ranges import PageRange, read_range
from app.web.pages.prompts.comparison_words import findings, version_label
from app.web.pages.prompts.forms import NameForm, VersionNameForm
from app.web.request_context import visitor
from app.web.services import ask_database, ask_snapshot

DEFAULT_METRIC = next(iter(OF_VERSIONS))
CSV_COLUMNS: dict[str, Callable[[VersionSummary], object]] = {
    "version_hash": lambda version: version.version_hash,
    "version_name": lambda version: version.name,
    "events": lambda version: version.usage.events,
    "share": lambda version: round(version.share, 6),
    "first_seen": lambda version: version.first_seen,
    "last_seen": lambda version: version.last_seen,
    "cost_per_event_usd": lambda version: version.usage.cost_usd.mean,
    "p50_latency_ms": lambda version: version.usage.latency_ms.p50,
    "p95_latency_ms": lambda version: version.usage.latency_ms.p95,
    "p99_latency_ms": lambda version: version.usage.latency_ms.p99,
    "mean_score": lambda version: version.usage.score.mean,
}

blueprint = page_blueprint("prompt")


@blueprint.get("/dashboard/prompts/<uuid:prompt_id>")
@signed_in()
def prompt(prompt_id: UUID) -> Response:
    """The page; 404 for a prompt that the project has never used."""
    now = datetime.now(UTC)
    shown = read_range(request.args, now)
    found = ask_snapshot(
        read_prompt_overview, visitor().project_id, prompt_id, shown.time_range, interval=shown.interval, now=now
    )
    metric = request.args.get("metric", DEFAULT_METRIC)
    metric = metric if metric in OF_VERSIONS else DEFAULT_METRIC
    return page_of_range(
        "prompts/prompt.html",
        shown,
        now,
        found.period,
        truncated=found.listed.truncated,
        found=found,
        chart=_versions_chart(found, metric),
        line_numbers={line.version_hash: number for number, line in enumerate(found.lines, 1)},
        versions=_newest_first(found.listed.rows),
        metric=metric,
        metrics={key: measure.title for key, (measure, _) in OF_VERSIONS.items()},
        findings=findings(found.comparison) if found.comparison else None,
        version_label=version_label,
        longest_name=LONGEST_LABEL,
        arguments=_arguments(shown, metric),
        kept={"prompt_id": str(prompt_id)} | ({"metric": metric} if metric != DEFAULT_METRIC else {}),
    )


@blueprint.get("/dashboard/prompts/<uuid:prompt_id>/versions.csv")
@signed_in()
def versions_csv(prompt_id: UUID) -> Response:
    shown = read_range(request.args, datetime.now(UTC))
    found = ask_snapshot(read_versions, visitor().project_id, prompt_id, shown.time_range)
    return csv_table(f"versions-{prompt_id}.csv", CSV_COLUMNS, _newest_first(found.rows))


@blueprint.post("/dashboard/prompts/<uuid:prompt_id>/name")
@signed_in()
def name_prompt(prompt_id: UUID) -> Response:
    form = NameForm()
    if not form.validate():
        return _back(prompt_id, problems=form.name.errors)
    name = form.name.data or None
    if not ask_database(update_prompt_name, visitor().project_id, prompt_id, name):
        raise NotFound("prompt")
    return _named(prompt_id, name)


@blueprint.post("/dashboard/prompts/<uuid:prompt_id>/versions/name")
@signed_in()
def name_version(prompt_id: UUID) -> Response:
    form = VersionNameForm()
    if not form.validate():
        return _back(prompt_id, problems=[*form.name.errors, *form.version_hash.errors])
    name = form.name.data or None
    if not ask_database(update_version_name, visitor().project_id, prompt_id, form.version_hash.data, name):
        raise NotFound("version")
    return _named(prompt_id, name)


def _named(prompt_id: UUID, name: str | None) -> Response:
    flash("The name is saved." if name else "The name is taken away.", "success")
    return _back(prompt_id)


def _back(prompt_id: UUID, *, problems: Sequence[str] = ()) -> Response:
    """To the page as it was, where the problems are told."""
    if problems:
        flash(" ".join(problems), "error")
    shown = read_range(request.args, datetime.now(UTC))
    metric = request.args.get("metric", DEFAULT_METRIC)
    return redirect(url_for(".prompt", prompt_id=prompt_id, **_arguments(shown, metric)), code=303)


def _arguments(shown: PageRange, metric: str) -> dict[str, Any]:
    if metric == DEFAULT_METRIC or metric not in OF_VERSIONS:
        return shown.arguments
    return shown.arguments | {"metric": metric}


def _versions_chart(found: PromptOverview, metric: str) -> Chart:
    measure, value_of = OF_VERSIONS[metric]
    lines = [
        Line(visible_text(version_label(line.version_hash, line.name)), [value_of(usage) for usage in line.usages])
        for line in found.lines
    ]
    return build_chart(measure, buckets_of(found.period), found.period.interval, lines)


def _newest_first(versions: Sequence[VersionSummary]) -> list[VersionSummary]:
    return sorted(versions, key=lambda version: version.first_seen, reverse=True)

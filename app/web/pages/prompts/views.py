"""/dashboard/prompts/<id>: the versions of a prompt side by side, and which of two to ship."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from uuid import UUID

from flask import request
from werkzeug.wrappers import Response

from app.core.analytics.margins import in_words
from app.core.analytics.prompt_overview import VersionSummary, read_prompt_overview, read_versions
from app.core.errors import VersionNotFound
from app.core.names import LONGEST_LABEL
from app.web.pages.access.blueprint import page_blueprint
from app.web.pages.access.guards import signed_in
from app.web.pages.charts.distribution import latency_histogram
from app.web.pages.charts.measures import OF_VERSIONS, page_of_range
from app.web.pages.layout.csv_download import csv_table
from app.web.pages.layout.formatting import version_label
from app.web.pages.layout.ranges import read_range
from app.web.pages.prompts.addresses import no_such_version, read_address
from app.web.pages.prompts.comparison_card import OF_MARGINS, comparison_card
from app.web.pages.prompts.margins import form_of
from app.web.pages.prompts.version_chart import metric_of, versions_chart
from app.web.request_context import visitor
from app.web.services import ask_snapshot

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
    """The page; 404 for a prompt that the project has never used, and for a version that the prompt does not have."""
    address = read_address()
    shown, now = address.shown, address.now
    try:
        found = ask_snapshot(
            read_prompt_overview,
            visitor().project_id,
            prompt_id,
            shown.time_range,
            interval=shown.interval,
            now=now,
            choice=address.choice,
        )
    except VersionNotFound as error:
        raise no_such_version(error) from None
    compared = comparison_card(found, address.choice)
    metric = metric_of(address.metric, found.period.totals)
    answer = page_of_range(
        "prompts/prompt.html",
        shown,
        now,
        found.period,
        truncated=found.listed.truncated,
        found=found,
        chart=versions_chart(found, metric),
        latencies=latency_histogram(found.period.latencies),
        line_numbers={line.version_hash: number for number, line in enumerate(found.lines, 1)},
        versions=_newest_first(found.listed.rows),
        metric=metric,
        metrics={key: measure.title for key, (measure, _) in OF_VERSIONS.items()},
        compared=compared,
        margins_form=form_of(found.margins.margins),
        margins_words=f"{in_words(found.margins.margins)} ({OF_MARGINS[found.margins.source]})",
        version_label=version_label,
        longest_name=LONGEST_LABEL,
        address=address,
        kept={"prompt_id": str(prompt_id)} | address.kept,
    )
    if compared and compared.problem:
        answer.status_code = 400
    return answer


@blueprint.get("/dashboard/prompts/<uuid:prompt_id>/versions.csv")
@signed_in()
def versions_csv(prompt_id: UUID) -> Response:
    shown = read_range(request.args, datetime.now(UTC))
    found = ask_snapshot(read_versions, visitor().project_id, prompt_id, shown.time_range)
    return csv_table(f"versions-{prompt_id}.csv", CSV_COLUMNS, _newest_first(found.rows))


def _newest_first(versions: Sequence[VersionSummary]) -> list[VersionSummary]:
    return sorted(versions, key=lambda version: version.first_seen, reverse=True)

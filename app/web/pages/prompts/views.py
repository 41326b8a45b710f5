"""/dashboard/prompts/<id>: the versions of a prompt side by side, and which of two to ship."""

from uuid import UUID

from werkzeug.wrappers import Response

from app.core.analytics.margins import in_words
from app.core.analytics.prompt_overview import read_prompt_overview
from app.core.names import LONGEST_LABEL
from app.core.operations.overflows import ToldOverflows, read_overflows
from app.web.pages.access.blueprint import page_blueprint
from app.web.pages.access.guards import signed_in
from app.web.pages.charts.distribution import latency_histogram
from app.web.pages.charts.measures import OF_VERSIONS, page_of_range
from app.web.pages.layout.overflow_words import overflow_notices
from app.web.pages.layout.tables import LONGEST_SEARCH, page_of
from app.web.pages.prompts.addresses import read_address
from app.web.pages.prompts.comparison_card import OF_MARGINS, comparison_card, labels_of
from app.web.pages.prompts.margins import form_of
from app.web.pages.prompts.version_chart import asked_at, metric_of, versions_chart
from app.web.request_context import visitor
from app.web.services import ask_database, services

blueprint = page_blueprint("prompt")


@blueprint.get("/dashboard/prompts/<uuid:prompt_id>")
@signed_in()
def prompt(prompt_id: UUID) -> Response:
    """The page; 404 for a prompt that the project has never used, and for a version that the prompt does not have."""
    address = read_address()
    shown, now = address.shown, address.now
    found = asked_at(read_prompt_overview, prompt_id, address)
    told = ask_database(
        read_overflows, services().redis, now, project_id=visitor().project_id, prompt_id=prompt_id, limit=1
    )
    versions = page_of(found.matching.rows, address.table)
    compared_versions = [found.comparison.baseline, found.comparison.candidate] if found.comparison else []
    labels = labels_of(found.choices, found.lines, versions.rows, found.only, compared_versions)
    compared = comparison_card(found, address.choice, labels)
    metric = metric_of(address.metric, found.period.totals)
    answer = page_of_range(
        "prompts/prompt.html",
        shown,
        now,
        found.period,
        truncated=found.matching.truncated,
        found=found,
        overflows=overflow_notices(ToldOverflows(told.shown, more=False), now),
        chart=versions_chart(found, metric, labels, hidden=address.hidden),
        latencies=latency_histogram(found.period.latencies),
        line_numbers={line.version_hash: number for number, line in enumerate(found.lines, 1)},
        versions=versions,
        longest_search=LONGEST_SEARCH,
        metric=metric,
        metrics={key: measure.title for key, (measure, _) in OF_VERSIONS.items()},
        compared=compared,
        margins_form=form_of(found.margins.margins),
        margins_words=f"{in_words(found.margins.margins)} ({OF_MARGINS[found.margins.source]})",
        labels=labels,
        longest_name=LONGEST_LABEL,
        address=address,
        kept={"prompt_id": str(prompt_id)} | address.kept,
    )
    if compared and compared.problem:
        answer.status_code = 400
    return answer

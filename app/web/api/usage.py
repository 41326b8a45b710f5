"""`GET /api/v1/prompts/analytics`: what the project and each of its prompts used, from the rollups."""

from datetime import UTC, datetime
from typing import Any

from flask import Blueprint, Response, request
from flask.blueprints import BlueprintSetupState
from werkzeug.routing import BaseConverter

from app.core.analytics.usage import Usage, UsageReport, project_usage, prompt_usage
from app.core.contract import ANALYTICS_PATH
from app.core.queries.api_keys import ApiKey
from app.web.access import requires_key
from app.web.api.usage_schemas import UsageQuery, read_prompt_id, read_query
from app.web.compression import compressed
from app.web.json_response import success
from app.web.reading import ask_snapshot
from app.web.request_context import context

blueprint = Blueprint("usage", __name__)
blueprint.after_request(compressed)


@blueprint.get(ANALYTICS_PATH)
@requires_key("read")
def read_project(key: ApiKey) -> Response:
    """The project as a whole, its series and its prompts; 503 while PostgreSQL does not answer."""
    query = read_query(request.args, datetime.now(UTC))
    usage = ask_snapshot(project_usage, key.project_id, query.time_range, query.interval)
    prompts = [{"prompt_id": prompt_id, **_totals(totals)} for prompt_id, totals in usage.breakdown]
    return success({**_heading(query, usage), "prompts": prompts, "truncated": usage.truncated}, as_of=context().as_of)


class PromptIdConverter(BaseConverter):
    """Whatever may stand for a prompt id in a path, right or wrong; `batch` is the other resource there."""

    regex = "(?!batch$)[^/]+"
    part_isolating = True


@blueprint.record
def _register_converter(state: BlueprintSetupState) -> None:
    state.app.url_map.converters["prompt_id"] = PromptIdConverter


@blueprint.get(f"{ANALYTICS_PATH}/<prompt_id:prompt_id>")
@requires_key("read")
def read_prompt(key: ApiKey, prompt_id: str) -> Response:
    """One prompt as a whole, its series and its versions; 404 for a prompt that the project never used."""
    prompt = read_prompt_id(prompt_id)
    query = read_query(request.args, datetime.now(UTC))
    usage = ask_snapshot(prompt_usage, key.project_id, prompt, query.time_range, query.interval)
    versions = [{"version_hash": version_hash, **_totals(totals)} for version_hash, totals in usage.breakdown]
    return success(
        {"prompt_id": prompt, **_heading(query, usage), "versions": versions, "truncated": usage.truncated},
        as_of=context().as_of,
    )


def _heading(query: UsageQuery, usage: UsageReport[Any]) -> dict[str, Any]:
    return {
        "from": query.time_range.start,
        "to": query.time_range.end,
        "interval": query.interval,
        "totals": usage.totals,
        "series": [{"start": start, **_totals(totals)} for start, totals in usage.series],
    }


def _totals(usage: Usage) -> dict[str, Any]:
    return {
        "events": usage.events,
        "cost_usd": usage.cost_usd,
        "latency_ms": usage.latency_ms,
        "score": usage.score,
    }

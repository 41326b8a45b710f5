"""/openapi.json, and /docs, which shows it with Swagger UI; all of the page comes from this process."""

import functools
import json
from importlib.resources import files
from typing import Any

from apispec import APISpec
from apispec.ext.marshmallow import MarshmallowPlugin
from flask import Blueprint, Response

from app.core.contract import ANALYTICS_PATH, EXAMPLE_EVENT
from app.web.access import public
from app.web.api.comparison_schemas import ComparisonQuerySchema
from app.web.api.schemas import BatchSchema, EventSchema
from app.web.api.usage_schemas import UsageQuerySchema
from app.web.compression import kept_answer
from app.web.json_response import encode

_WRITTEN = files("app.web.api") / "openapi.json"
_QUERIES = {
    "query": {"in": "query", "schema": UsageQuerySchema},
    "comparison": {"in": "query", "schema": ComparisonQuerySchema},
}
_PAGE = files("app.web") / "static" / "docs" / "index.html"

# Swagger UI sets styles on its elements and draws its icons from data: URLs; scripts come from files only.
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)

blueprint = Blueprint("openapi", __name__)


@functools.cache
def document() -> bytes:
    """The OpenAPI 3.1 document, built once in each process from openapi.json and the schemas that validate requests.

    In openapi.json paths go on behind ANALYTICS_PATH, what is among the components stands by its name, "query" and
    "comparison" stand for the parameters in query strings, an answer lists the names of its headers, those that it has
    `withAValidKey` only, and one in the error envelope its codes.
    """
    written = json.loads(_WRITTEN.read_text())
    spec = APISpec(
        written["info"]["title"], written["info"]["version"], written["openapi"], plugins=[MarshmallowPlugin()]
    )
    for name, response in written["components"].pop("responses").items():
        spec.components.response(name, _in_full(response, written["components"]["headers"]))
    for name, parameter in written["components"].pop("parameters").items():
        spec.components.parameter(name, parameter["in"], parameter)
    spec.components.schema("Event", schema=EventSchema)
    spec.components.schema("Batch", schema=BatchSchema)
    spec.components.example("PromptId", {"value": EXAMPLE_EVENT["prompt_id"]})
    spec.components.example("Event", {"value": EXAMPLE_EVENT})
    spec.components.example("Batch", {"value": {"events": [EXAMPLE_EVENT]}})
    for path, operations in written["paths"].items():
        for operation in operations.values():
            operation["parameters"] = [
                _QUERIES.get(each, each) if isinstance(each, str) else each for each in operation["parameters"]
            ]
            operation["responses"] = {
                status: _in_full(each, written["components"]["headers"])
                for status, each in operation["responses"].items()
            }
        spec.path(ANALYTICS_PATH + path, operations=operations)
    made = spec.to_dict()
    made["components"]["schemas"] |= written["components"].pop("schemas")
    return encode(written | made | {"info": written["info"], "components": written["components"] | made["components"]})


def _in_full(response: Any, headers: dict[str, Any]) -> Any:
    if isinstance(response, str):
        return response
    full = {**response, "headers": {name: {"$ref": f"#/components/headers/{name}"} for name in response["headers"]}}
    for name in full.pop("withAValidKey", ()):
        full["headers"][name] = {**headers[name], "required": False}
    if "codes" in response:
        narrowed = {"properties": {"error": {"properties": {"code": {"enum": full.pop("codes")}}}}}
        schema = {"allOf": [{"$ref": "#/components/schemas/Error"}, narrowed]}
        full["content"] = {"application/json": {"schema": schema}}
    return full


@blueprint.get("/openapi.json")
@public("what the API looks like is no secret, and clients are generated from it")
def openapi() -> Response:
    answer = kept_answer("openapi.json", document, "application/json")
    answer.headers["Cache-Control"] = "no-cache"
    return answer


@blueprint.get("/docs")
@public("shows the public document")
def docs() -> Response:
    """The page; its script loads the document and lets a reader try the API with a key of theirs."""
    answer = kept_answer("docs", _PAGE.read_bytes, "text/html")
    answer.headers["Cache-Control"] = "no-cache"
    answer.headers["Content-Security-Policy"] = CONTENT_SECURITY_POLICY
    return answer

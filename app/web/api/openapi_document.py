"""The OpenAPI 3.1 document, made from the schemas that validate requests."""

from typing import Any

from apispec import APISpec
from apispec.ext.marshmallow import MarshmallowPlugin
from marshmallow import Schema

from app.core.contract import ANALYTICS_PATH, BATCH_PATH, EXAMPLE_EVENT
from app.web.api.openapi_parts import ALWAYS, ERROR, HEADERS, WITH_KEY, Json, error_answer, header_references
from app.web.api.schemas import BatchSchema, EventSchema
from app.web.api.usage_answers import ProjectUsageSchema, PromptUsageSchema
from app.web.api.usage_schemas import UsageQuerySchema

KEY_SCHEME = "apiKey"
KEY_DESCRIPTION = "An API key: eg_live_… Admins make them at /dashboard/api-keys."

DESCRIPTION = """\
Log what each prompt invocation cost, how long it took and how well it scored; read the totals of each prompt and
version.

Every answer but a 204 is JSON: `{"success": true, "data": …}`, or `{"success": false, "error": …}` with a code for
programs and a message for people. A 429 or 503 says in `Retry-After` when to try again.
"""

LOG_DESCRIPTION = """\
Call this after each prompt invocation. A 204 says that the event is kept and will be counted exactly once. To repeat a
call safely, send the same `Idempotency-Key` with the same body. Fields that are not listed are ignored.
"""

BATCH_DESCRIPTION = """\
The same for up to 1,000 events in one call, for clients that collect or backfill: all of them are logged, or none. Each
counts against the key's rate limit, and a batch with more events than the limit has left is refused with a 429. A field
in the details of a 400 is named by its place, such as `events[3].latency_ms`.

The body may be sent with `Content-Encoding: gzip`.
"""

IDEMPOTENCY_KEY: Json = {
    "name": "Idempotency-Key",
    "in": "header",
    "description": "Any text that is new for each call, such as a UUID: makes it safe to repeat the call.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]+$"},
}

UNAUTHORIZED = error_answer(
    "There is no valid API key in the request.", ["UNAUTHORIZED"], [*ALWAYS, "WWW-Authenticate"]
)
TOO_MANY = error_answer(
    "RATE_LIMITED: the key is over its limit, or your address sent too many wrong keys. "
    "BACKPRESSURE: the service is full for the moment. Nothing was stored: send it again later.",
    ["RATE_LIMITED", "BACKPRESSURE"],
    [*ALWAYS, "Retry-After"],
)
UNAVAILABLE = error_answer(
    "A server behind this service did not answer. Whether anything was stored is unknown; a retry with the same "
    "Idempotency-Key is safe.",
    ["UNAVAILABLE"],
    [*ALWAYS, "Retry-After"],
)


def build_document() -> Json:
    """The document; bounds of numbers are Decimals in it."""
    spec = APISpec(
        title="Prompt Analytics API",
        version="1",
        openapi_version="3.1.0",
        plugins=[MarshmallowPlugin()],
        info={"description": DESCRIPTION},
        servers=[{"url": "/"}],
        security=[{KEY_SCHEME: []}],
        tags=[{"name": "Prompts"}],
    )
    _add_components(spec)
    spec.path(ANALYTICS_PATH, operations={"post": _log_event(), "get": _read_project()})
    spec.path(BATCH_PATH, operations={"post": _log_events()})
    spec.path(ANALYTICS_PATH + "/{prompt_id}", operations={"get": _read_prompt()})
    return spec.to_dict()


def _add_components(spec: APISpec) -> None:
    spec.components.security_scheme(KEY_SCHEME, {"type": "http", "scheme": "bearer", "description": KEY_DESCRIPTION})
    for name, header in HEADERS.items():
        spec.components.header(name, header)
    spec.components.schema("Error", ERROR)
    spec.components.schema("Event", schema=EventSchema)
    spec.components.schema("Batch", schema=BatchSchema)
    for name, response in (("Unauthorized", UNAUTHORIZED), ("TooMany", TOO_MANY), ("Unavailable", UNAVAILABLE)):
        spec.components.response(name, response)


def _log_event() -> Json:
    return _log(
        operation_id="logEvent",
        summary="Log a prompt usage event",
        description=LOG_DESCRIPTION,
        body={"schema": "Event", "example": EXAMPLE_EVENT},
        too_large="The body is larger than 16 KiB.",
        unsupported="The body is not application/json in UTF-8, or it is compressed.",
    )


def _log_events() -> Json:
    return _log(
        operation_id="logEvents",
        summary="Log a batch of prompt usage events",
        description=BATCH_DESCRIPTION,
        body={"schema": "Batch", "example": {"events": [EXAMPLE_EVENT]}},
        too_large="The body is larger than 1 MiB, as sent or inflated.",
        unsupported="The body is not application/json in UTF-8, or it is compressed with anything but gzip.",
    )


def _log(*, operation_id: str, summary: str, description: str, body: Json, too_large: str, unsupported: str) -> Json:
    return {
        "tags": ["Prompts"],
        "operationId": operation_id,
        "summary": summary,
        "description": description,
        "parameters": [IDEMPOTENCY_KEY],
        "requestBody": {"required": True, "content": {"application/json": body}},
        "responses": {
            "204": {"description": "Logged.", "headers": header_references(*WITH_KEY, "Idempotent-Replayed")},
            "400": error_answer(
                "VALIDATION_ERROR: the details name every bad field. "
                "IDEMPOTENCY_KEY_REUSED: the key was used before with another body; what it logged is untouched.",
                ["VALIDATION_ERROR", "IDEMPOTENCY_KEY_REUSED"],
                WITH_KEY,
            ),
            **_key_answers("ingest"),
            "408": error_answer("The body took longer than 5 seconds.", ["REQUEST_TIMEOUT"], WITH_KEY),
            "413": error_answer(too_large, ["PAYLOAD_TOO_LARGE"], WITH_KEY),
            "415": error_answer(unsupported, ["UNSUPPORTED_MEDIA_TYPE"], WITH_KEY),
        },
    }


def _read_project() -> Json:
    return _read(
        operation_id="readProject",
        summary="Read what the project used",
        description="The project as a whole, as a series, and by prompt. The key needs the scope read.",
        parameters=[],
        data=ProjectUsageSchema,
        extra={},
    )


def _read_prompt() -> Json:
    prompt_id = {
        "name": "prompt_id",
        "in": "path",
        "required": True,
        "example": EXAMPLE_EVENT["prompt_id"],
        "schema": {
            "type": "string",
            "format": "uuid",
            "pattern": EventSchema().fields["prompt_id"].metadata["pattern"],
        },
    }
    return _read(
        operation_id="readPrompt",
        summary="Read what one prompt used",
        description="The prompt as a whole, as a series, and by version. The key needs the scope read.",
        parameters=[prompt_id],
        data=PromptUsageSchema,
        extra={"404": error_answer("The project never used this prompt.", ["NOT_FOUND"], WITH_KEY)},
    )


def _read(
    *, operation_id: str, summary: str, description: str, parameters: list[Json], data: type[Schema], extra: Json
) -> Json:
    answer: dict[str, Any] = {
        "type": "object",
        "required": ["success", "data"],
        "properties": {"success": {"const": True}, "data": data},
        "additionalProperties": False,
    }
    return {
        "tags": ["Prompts"],
        "operationId": operation_id,
        "summary": summary,
        "description": description,
        "parameters": [*parameters, {"in": "query", "schema": UsageQuerySchema}],
        "responses": {
            "200": {
                "description": "What was used.",
                "headers": header_references(*WITH_KEY),
                "content": {"application/json": {"schema": answer}},
            },
            "400": error_answer("The details name every bad parameter.", ["VALIDATION_ERROR"], WITH_KEY),
            **_key_answers("read"),
            **extra,
        },
    }


def _key_answers(scope: str) -> Json:
    return {
        "401": "Unauthorized",
        "403": error_answer(f"The key does not have the scope {scope}.", ["FORBIDDEN"], WITH_KEY),
        "429": "TooMany",
        "503": "Unavailable",
    }

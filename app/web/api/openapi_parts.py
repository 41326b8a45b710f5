"""The parts that the operations of the OpenAPI document share: headers and error answers."""

from collections.abc import Sequence
from typing import Any

from app.web.errors import LONGEST_RETRY_SECONDS

Json = dict[str, Any]

HEADERS: dict[str, Json] = {
    "X-Request-Id": {
        "description": "Names this request: yours, where you sent 1 to 64 of A-Z a-z 0-9 . _ -, else a new one.",
        "required": True,
        "schema": {"type": "string", "pattern": "^[A-Za-z0-9._-]{1,64}$"},
    },
    "X-RateLimit-Limit": {
        "description": "How many requests the key may make in a window; each event of a batch counts as one.",
        "required": True,
        "schema": {"type": "integer", "minimum": 1},
    },
    "X-RateLimit-Remaining": {
        "description": "How many of them are left in this window.",
        "required": True,
        "schema": {"type": "integer", "minimum": 0},
    },
    "X-RateLimit-Reset": {
        "description": "When the window ends, in seconds since 1970-01-01T00:00:00Z.",
        "required": True,
        "schema": {"type": "integer", "minimum": 0},
    },
    "Retry-After": {
        "description": "After how many seconds to try again.",
        "required": True,
        "schema": {"type": "integer", "minimum": 1, "maximum": LONGEST_RETRY_SECONDS},
    },
    "Idempotent-Replayed": {
        "description": "The same was stored before, under the same Idempotency-Key.",
        "schema": {"type": "string", "const": "true"},
    },
    "WWW-Authenticate": {
        "description": "How to authenticate.",
        "required": True,
        "schema": {"type": "string", "const": "Bearer"},
    },
}

ALWAYS = ("X-Request-Id",)
WITH_KEY = ("X-Request-Id", "X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset")

ERROR: Json = {
    "type": "object",
    "required": ["success", "error"],
    "properties": {
        "success": {"const": False},
        "error": {
            "type": "object",
            "required": ["code", "message", "requestId", "details"],
            "properties": {
                "code": {"type": "string"},
                "message": {"type": "string", "description": "For people; programs look at the code."},
                "requestId": {"type": "string"},
                "details": {
                    "type": "array",
                    "items": {
                        "type": "object",
                        "required": ["field", "message"],
                        "properties": {
                            "field": {"type": "string", "description": 'A field, header or parameter, or "body".'},
                            "message": {"type": "string"},
                        },
                        "additionalProperties": False,
                    },
                },
            },
            "additionalProperties": False,
        },
    },
    "additionalProperties": False,
}


def header_references(*names: str) -> Json:
    """Headers of an answer, by reference."""
    return {name: {"$ref": f"#/components/headers/{name}"} for name in names}


def error_answer(description: str, codes: Sequence[str], headers: Sequence[str]) -> Json:
    """An answer in the error envelope, with one of the codes."""
    return {
        "description": description,
        "headers": header_references(*headers),
        "content": {
            "application/json": {
                "schema": {
                    "allOf": [
                        {"$ref": "#/components/schemas/Error"},
                        {"properties": {"error": {"properties": {"code": {"enum": list(codes)}}}}},
                    ]
                }
            }
        },
    }

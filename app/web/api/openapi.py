"""/openapi.json, and /docs, which shows it with Swagger UI; all of the page comes from this process."""

import functools
from importlib.resources import files

from flask import Blueprint, Response

from app.web.access import public
from app.web.api.openapi_document import build_document
from app.web.json_response import encode

_PAGE = files("app.web") / "static" / "docs" / "index.html"

# Swagger UI sets styles on its elements and draws its icons from data: URLs; scripts come from files only.
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)

blueprint = Blueprint("openapi", __name__)


@functools.cache
def document() -> bytes:
    """The OpenAPI document, built once in each process."""
    return encode(build_document())


@blueprint.get("/openapi.json")
@public("what the API looks like is no secret, and clients are generated from it")
def openapi() -> Response:
    return Response(document(), mimetype="application/json")


@blueprint.get("/docs")
@public("shows the public document")
def docs() -> Response:
    """The page; its script loads the document and lets a reader try the API with a key of theirs."""
    answer = Response(_PAGE.read_bytes(), mimetype="text/html")
    answer.headers["Content-Security-Policy"] = CONTENT_SECURITY_POLICY
    return answer

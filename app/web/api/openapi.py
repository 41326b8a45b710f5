"""/openapi.json, and /docs, which shows it with Swagger UI; all of the page comes from this process."""

import functools
from importlib.resources import files
from importlib.resources.abc import Traversable

from flask import Blueprint, Response, abort

from app.web.access import public
from app.web.api.openapi_document import build_document
from app.web.json_response import encode

_SWAGGER_UI = files("flask_swagger_ui") / "dist"
_OURS = files("app.web") / "static" / "docs"

# The closed list of files behind /docs/, each with its type.
ASSETS: dict[str, tuple[Traversable, str]] = {
    "swagger-ui-bundle.js": (_SWAGGER_UI, "text/javascript"),
    "swagger-ui.css": (_SWAGGER_UI, "text/css"),
    "index.css": (_SWAGGER_UI, "text/css"),
    "favicon-32x32.png": (_SWAGGER_UI, "image/png"),
    "start.js": (_OURS, "text/javascript"),
}

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
    """The OpenAPI document."""
    return Response(document(), mimetype="application/json")


@blueprint.get("/docs")
@public("shows the public document")
def docs() -> Response:
    """The page; its script loads the document and lets a reader try the API with a key of theirs."""
    answer = Response((_OURS / "index.html").read_bytes(), mimetype="text/html")
    answer.headers["Content-Security-Policy"] = CONTENT_SECURITY_POLICY
    return answer


@blueprint.get("/docs/<name>")
@public("part of the page /docs")
def asset(name: str) -> Response:
    """A file of the page; 404 for all that is not on the list."""
    if name not in ASSETS:
        abort(404)
    folder, mimetype = ASSETS[name]
    answer = Response((folder / name).read_bytes(), mimetype=mimetype)
    answer.headers["Cache-Control"] = "public, max-age=3600"
    return answer

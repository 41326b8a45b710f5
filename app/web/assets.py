"""Files that pages load: our own and single files of packages, all from this process.

Those of the pages have a hash in their URL, and browsers keep them for ever; those of /docs keep their names.
"""

import functools
from importlib.resources import files
from importlib.resources.abc import Traversable
from importlib.util import find_spec
from pathlib import Path

from flask import Blueprint, Response, abort

from app.web.access import public
from app.web.compression import digest_of, kept_answer

_TYPES = {"css": "text/css", "js": "text/javascript", "svg": "image/svg+xml", "png": "image/png"}


def _package_folder(name: str) -> Path:
    """Where a package lies; unlike importlib.resources, this does not import it."""
    spec = find_spec(name)
    if spec is None or not spec.submodule_search_locations:
        raise ModuleNotFoundError(name)
    return Path(spec.submodule_search_locations[0])


_OWN = files("app.web") / "pages" / "static"
_SWAGGER_UI = _package_folder("flask_swagger_ui") / "dist"

# The closed lists.
ASSETS: dict[str, Traversable] = {each.name: each for each in _OWN.iterdir() if each.name.rpartition(".")[2] in _TYPES}
DOCS_ASSETS: dict[str, Traversable] = {
    **{name: _SWAGGER_UI / name for name in ("swagger-ui-bundle.js", "swagger-ui.css", "index.css")},
    "favicon-32x32.png": _SWAGGER_UI / "favicon-32x32.png",
    **{name: files("app.web") / "static" / "docs" / name for name in ("docs.css", "start.js")},
}

blueprint = Blueprint("assets", __name__)


@functools.cache
def asset_hash(name: str) -> str:
    """The beginning of the SHA-256 of a file. Raises KeyError for one that is not on the list."""
    return digest_of(ASSETS[name].read_bytes())


def asset_url(name: str) -> str:
    """The URL of a file as it is now. Raises KeyError for one that is not on the list."""
    return f"/assets/{asset_hash(name)}/{name}"


def _type_of(name: str) -> str:
    return _TYPES[name.rpartition(".")[2]]


@blueprint.get("/assets/<digest>/<name>")
@public("part of the sign-in page; the same for everybody")
def asset(digest: str, name: str) -> Response:
    """A file of the pages; 404 for all that is not on the list.

    During a deploy an older process is asked for a newer file: it sends what it has, and nobody keeps it.
    """
    if name not in ASSETS:
        abort(404)
    answer = kept_answer(f"assets/{name}", ASSETS[name].read_bytes, _type_of(name))
    if digest == asset_hash(name):
        answer.headers["Cache-Control"] = "public, max-age=31536000, immutable"
    answer.headers["Cross-Origin-Resource-Policy"] = "same-origin"
    return answer


@blueprint.get("/docs/<name>")
@public("part of the page /docs")
def docs_asset(name: str) -> Response:
    """A file of /docs; 404 for all that is not on the list."""
    if name not in DOCS_ASSETS:
        abort(404)
    answer = kept_answer(f"docs/{name}", DOCS_ASSETS[name].read_bytes, _type_of(name))
    answer.headers["Cache-Control"] = "public, max-age=3600"
    return answer

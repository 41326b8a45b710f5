"""Stylesheets, scripts and icons: each under a URL with its hash in it, which browsers keep for ever."""

import functools
import gzip
import hashlib
from dataclasses import dataclass
from importlib.resources import files
from importlib.resources.abc import Traversable
from importlib.util import find_spec
from pathlib import Path

from flask import Blueprint, Response, abort, request

from app.web.access import public
from app.web.threads import run_in_thread

_OWN = files("app.web.pages") / "static"
_TYPES = {"css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}
_HASH_LENGTH = 16


def _package_folder(name: str) -> Path:
    """Where a package lies; unlike importlib.resources, this does not import it."""
    spec = find_spec(name)
    if spec is None or not spec.submodule_search_locations:
        raise ModuleNotFoundError(name)
    return Path(spec.submodule_search_locations[0])


# The closed list: our own folder, and single files of packages.
ASSETS: dict[str, Traversable] = {
    **{each.name: each for each in _OWN.iterdir() if each.name.rpartition(".")[2] in _TYPES},
    "plotly.min.js": _package_folder("plotly") / "package_data" / "plotly.min.js",
}

blueprint = Blueprint("assets", __name__)


@dataclass(frozen=True, slots=True)
class Asset:
    """A file as it is sent."""

    plain: bytes
    gzipped: bytes
    mimetype: str


_compressed: dict[str, Asset] = {}


@functools.cache
def asset_hash(name: str) -> str:
    """The beginning of the SHA-256 of a file. Raises KeyError for one that is not on the list."""
    return hashlib.sha256(ASSETS[name].read_bytes()).hexdigest()[:_HASH_LENGTH]


def asset_url(name: str) -> str:
    """The URL of a file as it is now. Raises KeyError for one that is not on the list."""
    return f"/assets/{asset_hash(name)}/{name}"


def _asset(name: str) -> Asset:
    # once compressed, a file does not wait for a thread: in a rush of sign-ins passwords have them all
    if name not in _compressed:
        _compressed[name] = run_in_thread(lambda: _compress(name))
    return _compressed[name]


def _compress(name: str) -> Asset:
    plain = ASSETS[name].read_bytes()
    return Asset(plain, gzip.compress(plain, mtime=0), _TYPES[name.rpartition(".")[2]])


@blueprint.get("/assets/<digest>/<name>")
@public("part of the sign-in page; the same for everybody")
def asset(digest: str, name: str) -> Response:
    """A file of the pages; 404 for all that is not on the list.

    During a deploy an older process is asked for a newer file: it sends what it has, and nobody keeps it.
    """
    if name not in ASSETS:
        abort(404)
    found = _asset(name)
    gzip_welcome = request.accept_encodings["gzip"] > 0
    answer = Response(found.gzipped if gzip_welcome else found.plain, mimetype=found.mimetype)
    answer.headers["Vary"] = "Accept-Encoding"
    if gzip_welcome:
        answer.headers["Content-Encoding"] = "gzip"
    if digest == asset_hash(name):
        answer.headers["Cache-Control"] = "public, max-age=31536000, immutable"
    answer.headers["Cross-Origin-Resource-Policy"] = "same-origin"
    return answer

"""Answers that leave compressed, by gzip, which every client takes and the standard library has.

Blueprints ask for it with `compressed`; nothing else of the service is touched, so the way of events has no part in it.
Only answers to GET are: what is shown once (a key, an invitation) answers a POST. See docs/security.md.
"""

import gzip
import hashlib
import zlib
from collections.abc import Callable, Iterable, Iterator
from http import HTTPStatus
from typing import NamedTuple

from flask import Response, request

from app.web.errors import ApiError
from app.web.threads import run_in_thread

SMALLEST_BYTES = 1_000
"""Below that headers weigh more than what is saved."""
LARGEST_ON_THE_LOOP_BYTES = 200_000
"""What takes longer than some milliseconds would keep events waiting."""
TYPES = {"text/html", "text/csv", "application/json"}
FASTEST_LEVEL = 1
PAGE_LEVEL = 5
"""Pages are small, and repeat themselves. Of 219 KB of JSON the fastest level takes 3 ms of the event loop and leaves
81 KB, this one 11 ms and 74 KB."""
_GZIP = 31
"""zlib's window, for gzip's header and checksum."""
_SAFE_METHODS = ("GET", "HEAD")
_HASH_LENGTH = 16


def compressed(response: Response) -> Response:
    """For `after_request` of a blueprint. What is streamed stays so: each piece is sent on as it comes."""
    if request.method not in _SAFE_METHODS or response.mimetype not in TYPES:
        return response
    response.vary.add("Accept-Encoding")
    if response.status_code == HTTPStatus.NOT_MODIFIED or not _gzip_is_welcome():
        return response
    level = PAGE_LEVEL if response.mimetype == "text/html" else FASTEST_LEVEL
    if response.is_streamed:
        _close_with(response, response.response)
        response.response = _streamed(response.iter_encoded(), level)
    elif len(plain := response.get_data()) >= SMALLEST_BYTES:
        response.set_data(_squeezed(plain, level))
    else:
        return response
    response.headers["Content-Encoding"] = "gzip"
    return response


def _squeezed(plain: bytes, level: int) -> bytes:
    if len(plain) <= LARGEST_ON_THE_LOOP_BYTES:
        return zlib.compress(plain, level, _GZIP)
    try:
        return run_in_thread(lambda: zlib.compress(plain, level, _GZIP))
    except ApiError:  # too many wait for a thread, and the answer is ready
        return zlib.compress(plain, FASTEST_LEVEL, _GZIP)


def _close_with(response: Response, chunks: Iterable[object]) -> None:
    close = getattr(chunks, "close", None)
    if close is not None:
        response.call_on_close(close)


def _streamed(chunks: Iterable[bytes], level: int) -> Iterator[bytes]:
    squeezer = zlib.compressobj(level, zlib.DEFLATED, _GZIP)
    for chunk in chunks:
        yield squeezer.compress(chunk) + squeezer.flush(zlib.Z_SYNC_FLUSH)
    yield squeezer.flush()


class _Kept(NamedTuple):
    """A file, also compressed. `digest`: the beginning of its SHA-256."""

    plain: bytes
    gzipped: bytes
    digest: str


_kept: dict[str, _Kept] = {}


def kept_answer(name: str, read: Callable[[], bytes], mimetype: str) -> Response:
    """An answer that is the same for everybody while the process lives; 304 to who has it.

    Read and compressed once, by who asks first, and kept under this name, of which there must be no more than a closed
    list. Raises what `read` raises.
    """
    # once compressed, a file does not wait for a thread: in a rush of sign-ins passwords have them all
    if name not in _kept:
        plain = read()
        _kept[name] = _Kept(plain, run_in_thread(lambda: gzip.compress(plain, mtime=0)), digest_of(plain))
    kept = _kept[name]
    welcome = _gzip_is_welcome()
    answer = Response(kept.gzipped if welcome else kept.plain, mimetype=mimetype)
    answer.vary.add("Accept-Encoding")
    if welcome:
        answer.headers["Content-Encoding"] = "gzip"
    answer.set_etag(f"{kept.digest}-gzip" if welcome else kept.digest)
    answer.make_conditional(request)
    return answer


def digest_of(plain: bytes) -> str:
    """The beginning of its SHA-256."""
    return hashlib.sha256(plain).hexdigest()[:_HASH_LENGTH]


def _gzip_is_welcome() -> bool:
    return request.accept_encodings["gzip"] > 0

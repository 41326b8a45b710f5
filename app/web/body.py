"""The one reader of request bodies: whole, within a size and a time, or not at all."""

import io
import re
import zlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from flask import request
from gevent import Timeout
from gunicorn.http.errors import ParseException
from werkzeug.wsgi import get_content_length

from app.web.envelope import Detail
from app.web.errors import ApiError, validation_error

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

_JSON = re.compile(r'application/json[ \t]*(?:;[ \t]*charset=(?:utf-8|"utf-8")[ \t]*)?', re.ASCII | re.IGNORECASE)

_REST_SECONDS = 0.1
_REST_BYTES = 65_536
"""How much of a body that nobody wanted is taken, so that its connection can be used again."""
_GZIP_ONLY = 16
"""Added to zlib's wbits: a gzip header and trailer, with its checksum, and nothing else."""


def never_here(_stream: Any) -> bool:
    """For who cannot tell whether a body is here whole already."""
    return False


def read_json_body(
    environ: "WSGIEnvironment",
    *,
    limit_bytes: int,
    deadline_seconds: float,
    takes_gzip: bool = False,
    is_here: Callable[[Any], bool] = never_here,
) -> bytes:
    """The body of a request, which says that it is JSON; inflated, where it says that it is gzip too.

    Raises ApiError: 415 for another type or compression (and for gzip, unless `takes_gzip`: then nothing is ever
    inflated), 413 for more than `limit_bytes`, as it was sent or inflated, 408 where the body is not here after
    `deadline_seconds`, 400 for one that ends early, is wrongly chunked or is not what gzip makes. After a body that was
    not read to its end the connection is not used again. What `is_here` needs no deadline.
    """
    _require_json(environ)
    encoding = environ.get("HTTP_CONTENT_ENCODING", "identity").lower()
    if encoding != "identity" and not (takes_gzip and encoding == "gzip"):
        known = "identity or gzip" if takes_gzip else "identity"
        raise ApiError(415, "UNSUPPORTED_MEDIA_TYPE", f"The Content-Encoding must be {known}.")
    body = _read_whole(environ, limit_bytes, deadline_seconds, is_here)
    return body if encoding == "identity" else _inflate(body, limit_bytes)


def read_form_body(*, limit_bytes: int, deadline_seconds: float) -> None:
    """Read the body of the current request now, so that Flask, which has neither limit nor deadline, finds it whole.

    Call it before anything looks at `request.form`. Raises the same errors as `read_json_body`, except 415.
    """
    environ = request.environ
    body = _read_whole(environ, limit_bytes, deadline_seconds)
    environ["wsgi.input"] = io.BytesIO(body)
    environ["CONTENT_LENGTH"] = str(len(body))
    environ.pop("HTTP_TRANSFER_ENCODING", None)


def take_rest(environ: "WSGIEnvironment") -> None:
    """Before an answer: take what is left of a short body, so that its connection can be used again.

    After one that is longer, or is not here in a moment, or that nobody has told the client to send, the connection is
    not used again, and the answer says so.
    """
    if environ.get("CONTENT_LENGTH", "0") == "0" and "HTTP_TRANSFER_ENCODING" not in environ:
        return
    stream = environ["wsgi.input"]
    if getattr(stream, "failed", False):
        return
    taken = 0
    try:
        with Timeout(_REST_SECONDS, exception=False):
            while taken < _REST_BYTES:
                piece = stream.read(_REST_BYTES - taken)
                if not piece:
                    return
                taken += len(piece)
    except (ParseException, OSError):
        pass  # the client is gone or sends nonsense
    _close_after_answer(stream)


def _read_whole(
    environ: "WSGIEnvironment",
    limit_bytes: int,
    deadline_seconds: float,
    is_here: Callable[[Any], bool] = never_here,
) -> bytes:
    stream = environ["wsgi.input"]
    declared = get_content_length(environ)
    too_large = declared is not None and declared > limit_bytes
    if declared is not None and not too_large and is_here(stream):
        return bytes(stream.read(declared))
    body = b""
    if not too_large:
        body = _read_in_time(stream, limit_bytes + 1, deadline_seconds)
        too_large = len(body) > limit_bytes
    if too_large:
        _close_after_answer(stream)
        raise _too_large(f"The body is larger than {limit_bytes} bytes.")
    if declared is not None and len(body) < declared:
        _close_after_answer(stream)
        raise _malformed("The body is shorter than its Content-Length.")
    return body


def _require_json(environ: "WSGIEnvironment") -> None:
    content_type = environ.get("CONTENT_TYPE", "")
    if content_type != "application/json" and not _JSON.fullmatch(content_type):
        raise ApiError(
            415, "UNSUPPORTED_MEDIA_TYPE", "The Content-Type must be application/json; its only charset is utf-8."
        )


def _inflate(body: bytes, limit_bytes: int) -> bytes:
    """What is in a gzip file of one member; never more than one byte above the limit is inflated."""
    inflater = zlib.decompressobj(wbits=zlib.MAX_WBITS | _GZIP_ONLY)
    try:
        inflated = inflater.decompress(body, limit_bytes + 1)
    except zlib.error:
        raise _malformed("The body is not gzip, or is damaged.") from None
    if len(inflated) > limit_bytes:
        raise _too_large(f"The inflated body is larger than {limit_bytes} bytes.")
    if not inflater.eof or inflater.unused_data:
        raise _malformed("The body ends before its gzip file does, or goes on behind it.")
    return inflated


def _read_in_time(stream: Any, size: int, deadline_seconds: float) -> bytes:
    timeout = Timeout.start_new(deadline_seconds)
    try:
        return bytes(stream.read(size))
    except (ParseException, OSError) as error:
        _close_after_answer(stream)
        raise _malformed("The body ends early or is wrongly chunked.") from error
    except Timeout as expired:
        _close_after_answer(stream)
        if expired is not timeout:
            raise
        raise ApiError(
            408, "REQUEST_TIMEOUT", f"The body was not complete within {deadline_seconds:g} seconds."
        ) from None
    finally:
        timeout.close()


def _close_after_answer(stream: Any) -> None:
    """Tell gunicorn not to look for another request behind this body.

    It knows by itself when reading raised an Exception, but gevent's Timeout is none: the rest of the body
    would be taken for the next request, which is how requests are smuggled.
    """
    if hasattr(stream, "failed"):
        stream.failed = True


def _too_large(message: str) -> ApiError:
    return ApiError(413, "PAYLOAD_TOO_LARGE", message)


def _malformed(message: str) -> ApiError:
    return validation_error([Detail(field="body", message=message)])

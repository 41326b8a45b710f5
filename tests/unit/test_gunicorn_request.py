"""The worker relies on what gunicorn has inside: an upgrade that changes it must fail here."""

import inspect
from collections.abc import Callable

import pytest
from gunicorn.http import body, message, parser, unreader, wsgi
from gunicorn.workers import base_async, ggevent

from app.web.gunicorn_request import AwaitedBody, EnvelopeRequest
from app.web.gunicorn_worker import EnvelopeWorker

GOES_THROUGH: list[tuple[str, Callable[..., object]]] = [
    ("self.mesg_class(", parser.Parser.__next__),
    ("self.mesg.should_close()", parser.Parser.__next__),
    ("self.req.should_close()", wsgi.Response.should_close),
    ("self.should_close()", wsgi.Response.default_headers),
    ("self.set_body_reader()", message.Message.__init__),
    ("self._expected_100_continue = True", message.HeaderPolicy._apply_header_policy),
    ("if req._expected_100_continue:", wsgi.create),
    ("self._read_reader(", body.Body.read),
    ("self._read_reader(", body.Body.readline),
    ("self.failed = False", body.Body.__init__),
    ("self.sock = sock", unreader.SocketUnreader.__init__),
    ("raise StopIteration()", base_async.AsyncWorker.handle_request),
    ("self.handle_request(", base_async.AsyncWorker.handle),
    ("self.handle_error(", base_async.AsyncWorker.handle),
]


@pytest.mark.parametrize(("what", "function"), GOES_THROUGH, ids=range(len(GOES_THROUGH)))
def test_gunicorn_still_goes_through_what_is_replaced(what: str, function: Callable[..., object]):
    assert what in inspect.getsource(function)


@pytest.mark.parametrize(
    ("library", "own", "name"),
    [
        (message.Request, EnvelopeRequest, "set_body_reader"),
        (message.Request, EnvelopeRequest, "should_close"),
        (body.Body, AwaitedBody, "_read_reader"),
        (ggevent.GeventWorker, EnvelopeWorker, "init_process"),
        (ggevent.GeventWorker, EnvelopeWorker, "handle_request"),
        (ggevent.GeventWorker, EnvelopeWorker, "handle_error"),
    ],
    ids=lambda part: getattr(part, "__name__", part),
)
def test_what_is_overridden_is_there(library: type, own: type, name: str):
    assert callable(getattr(library, name))
    assert name in vars(own)

"""The speed patches rely on what their libraries have inside: an upgrade that changes it must fail here."""

import inspect
import io
import os
import socket
import subprocess
import sys
import tempfile
from types import SimpleNamespace
from typing import Any

import pytest
import redis
from flask import Flask, Response
from gunicorn.config import Config
from gunicorn.http import message, wsgi
from gunicorn.http.body import Body, ChunkedReader, LengthReader
from gunicorn.http.errors import InvalidResponseHeader
from gunicorn.http.unreader import IterUnreader
from gunicorn.workers import ggevent
from marshmallow import Schema
from prometheus_client import metrics, values
from redis.commands.core import Script
from redis.connection import Connection, HiredisRespSerializer
from werkzeug.routing import MapAdapter

from app.web.api.schemas import BatchSchema, EventSchema, FastBatchSchema, FastEventSchema
from app.web.fast.gunicorn import FastResponse, FastWorker, NoContentHeaders
from app.web.fast.ingest import FastLoading, NoContent, came_with_its_head
from app.web.fast.lean_flask import AS_FLASK_ASKS, LeanFlask, RememberingAdapter
from app.web.fast.shared_connection import FastScript, ScriptPacker, SharedConnectionRedis
from app.web.gunicorn_request import AwaitedBody
from app.web.gunicorn_worker import EnvelopeWorker
from app.web.limits import RateLimits

LIBRARYS_RESPONSE = FastResponse.__mro__[1]

OVERRIDDEN = [
    (Flask, LeanFlask, "ensure_sync"),
    (Flask, LeanFlask, "create_url_adapter"),
    (MapAdapter, RememberingAdapter, "match"),
    (Response, NoContent, "get_wsgi_headers"),
    (Schema, FastLoading, "load"),
    (Script, FastScript, "__call__"),
    (redis.Redis, SharedConnectionRedis, "execute_command"),
    (redis.Redis, SharedConnectionRedis, "register_script"),
    (HiredisRespSerializer, ScriptPacker, "pack"),
    (ggevent.GeventWorker, EnvelopeWorker, "handle_error"),
    (ggevent.GeventWorker, FastWorker, "load_wsgi"),
    (LIBRARYS_RESPONSE, FastResponse, "start_response"),
]

# What the patches call or read.
NEEDED = [
    (ggevent.GeventWorker, "init_process"),
    (Config, "settings"),
    (redis.Redis, "parse_response"),
    (Connection, "pack_commands"),
    (Connection, "send_packed_command"),
    (Connection, "read_response"),
    (Connection, "can_read"),
    (values, "ValueClass"),
    (values, "MutexValue"),
]

# What the gunicorn patch replaces, and the code of gunicorn that goes through it.
REPLACED: list[tuple[Any, str, Any]] = [
    (wsgi, "WSGIErrorsWrapper", wsgi.base_environ),
    (wsgi, "Response", wsgi.create),
    (wsgi.util, "http_date", wsgi.Response.default_headers),
    (message.HeaderPolicy, "_peer_is_trusted_proxy", message.HeaderPolicy),
]


COUNT = """
from app.web.fast.counting import count_sooner
count_sooner()
from prometheus_client import CollectorRegistry, Counter
from prometheus_client.multiprocess import MultiProcessCollector
counter = Counter("c", "counts", registry=CollectorRegistry())
counter.inc()
counter.inc(2)
(family,) = MultiProcessCollector(None).collect()
print(counter._value.get(), family.samples[0].value)
"""


@pytest.mark.parametrize(("library", "own", "name"), OVERRIDDEN, ids=lambda part: getattr(part, "__name__", part))
def test_what_a_patch_overrides_is_there(library: type, own: type, name: str):
    assert callable(getattr(library, name))
    assert name in vars(own)


@pytest.mark.parametrize(("owner", "name"), NEEDED, ids=lambda part: getattr(part, "__name__", part))
def test_what_a_patch_calls_or_reads_is_there(owner: type, name: str):
    assert hasattr(owner if owner is not Config else Config(), name)


@pytest.mark.parametrize(("owner", "name", "user"), REPLACED, ids=lambda part: getattr(part, "__name__", part))
def test_gunicorn_still_goes_through_what_is_replaced(owner: Any, name: str, user: Any):
    assert hasattr(owner, name)
    assert name in inspect.getsource(user)


def test_the_adapter_is_made_of_what_werkzeug_asks_for():
    given = {
        "map",
        "server_name",
        "script_name",
        "subdomain",
        "url_scheme",
        "path_info",
        "default_method",
        "query_args",
    }
    assert set(inspect.signature(MapAdapter.__init__).parameters) - {"self"} == given


def test_flask_asks_the_adapter_as_the_remembering_one_expects():
    from flask.ctx import RequestContext

    (asked,) = AS_FLASK_ASKS.items()
    assert f"match({asked[0]}={asked[1]})" in inspect.getsource(RequestContext.match_request)


def test_a_connection_packs_by_what_it_is_given():
    connection = Connection(command_packer=ScriptPacker())
    plain = Connection()
    for command in (
        ("EVALSHA", "a" * 40, 1, "key", b"\x00\xff", 7),
        ("CLIENT KILL", "x"),
        ("SET", "k", bytearray(b"v")),
    ):
        assert b"".join(connection.pack_command(*command)) == b"".join(plain.pack_command(*command))


def test_counters_add_up_as_those_of_the_library_and_write_where_it_does():
    library = inspect.getsource(values.MultiProcessValue)
    assert "self._file.write_value(self._key, self._value, self._timestamp)" in library
    assert "values.ValueClass(" in inspect.getsource(metrics)
    assert run_python(COUNT) == "3.0 3.0"


def run_python(code: str) -> str:
    with tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, "PROMETHEUS_MULTIPROC_DIR": folder}
        command = [sys.executable, "-c", code]
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout.strip()


def test_a_204_of_ours_leaves_as_gunicorns_own_would():
    request = SimpleNamespace(method="POST", version=(1, 1), should_close=lambda: False)
    headers = [("X-Request-Id", "a"), ("X-RateLimit-Limit", "1")]
    told = []
    for response_class, given in ((LIBRARYS_RESPONSE, headers), (FastResponse, NoContentHeaders(headers))):
        response = response_class(request, None, Config())
        assert response.start_response("204 NO CONTENT", given) == response.write
        told.append((vars(response) | {"cfg": None}, response.default_headers(), response.should_close()))
        with pytest.raises(AssertionError):
            response.start_response("204 NO CONTENT", given)
    assert told[0] == told[1]


@pytest.mark.parametrize("value", ["a\r\nb", "a\x00"])
def test_headers_that_nobody_has_looked_at_are_looked_at_by_gunicorn(value: str):
    request = SimpleNamespace(method="POST", version=(1, 1), should_close=lambda: False)
    with pytest.raises(InvalidResponseHeader):
        FastResponse(request, None, Config()).start_response("200 OK", [("X", value)])


@pytest.mark.parametrize(
    ("sent", "is_whole"), [(b"", False), (b"{", False), (b"{}", True), (b"{}POST /next HTTP/1.1", True)]
)
def test_a_body_came_with_its_head_when_all_of_it_was_read_with_that(sent: bytes, is_whole: bool):
    unreader = IterUnreader([b"}"])
    unreader.unread(sent)
    body = Body(LengthReader(unreader, 2))
    assert came_with_its_head(body) is is_whole
    assert not is_whole or body.read(2) == b"{}"


def test_a_body_that_must_be_asked_for_or_has_no_length_did_not_come_with_its_head():
    unreader = IterUnreader([])
    unreader.unread(b"2\r\n{}\r\n0\r\n\r\n")
    with socket.socket() as client:
        assert not came_with_its_head(AwaitedBody(LengthReader(unreader, 2), client))
    assert not came_with_its_head(Body(ChunkedReader(None, unreader)))
    assert not came_with_its_head(io.BytesIO(b"{}"))


def test_a_script_has_what_the_fast_one_sends():
    script = Script(redis.Redis(), "return 1")
    assert len(script.sha) == 40
    assert isinstance(script.registered_client, redis.Redis)


def test_the_fast_schemas_have_the_fields_of_the_plain_ones():
    for fast, plain in ((FastEventSchema(), EventSchema()), (FastBatchSchema(), BatchSchema())):
        assert {name: type(field) for name, field in fast.load_fields.items()} == {
            name: type(field) for name, field in plain.load_fields.items()
        }


def test_flask_limiter_has_no_hook_in_any_request():
    app = Flask("test")
    RateLimits(app, redis.Redis(), default_limit="1/minute")
    hooks = (app.before_request_funcs, app.after_request_funcs, app.teardown_request_funcs)
    assert [function for by_blueprint in hooks for functions in by_blueprint.values() for function in functions] == []
    assert app.extensions["limiter"]

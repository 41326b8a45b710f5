"""The speed patches rely on what their libraries have inside: an upgrade that changes it must fail here."""

import inspect
from typing import Any

import pytest
import redis
from flask import Flask, Response
from gunicorn.config import Config
from gunicorn.http import message, wsgi
from gunicorn.workers import ggevent
from marshmallow import Schema
from redis.commands.core import Script
from redis.connection import Connection
from werkzeug.routing import MapAdapter

from app.web.api.schemas import BatchSchema, EventSchema, FastBatchSchema, FastEventSchema
from app.web.fast.ingest import FastLoading, NoContent
from app.web.fast.lean_flask import AS_FLASK_ASKS, LeanFlask, RememberingAdapter
from app.web.fast.shared_connection import FastScript, SharedConnectionRedis
from app.web.gunicorn_worker import EnvelopeWorker
from app.web.limits import RateLimits

OVERRIDDEN = [
    (Flask, LeanFlask, "ensure_sync"),
    (Flask, LeanFlask, "create_url_adapter"),
    (MapAdapter, RememberingAdapter, "match"),
    (Response, NoContent, "get_wsgi_headers"),
    (Schema, FastLoading, "load"),
    (Script, FastScript, "__call__"),
    (redis.Redis, SharedConnectionRedis, "execute_command"),
    (redis.Redis, SharedConnectionRedis, "register_script"),
    (ggevent.GeventWorker, EnvelopeWorker, "handle_error"),
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
]

# What the gunicorn patch replaces, and the code of gunicorn that goes through it.
REPLACED: list[tuple[Any, str, Any]] = [
    (wsgi, "WSGIErrorsWrapper", wsgi.base_environ),
    (wsgi.util, "http_date", wsgi.Response.default_headers),
    (message.HeaderPolicy, "_peer_is_trusted_proxy", message.HeaderPolicy),
]


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

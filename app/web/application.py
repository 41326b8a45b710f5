"""The web process: `create_app` builds, registers and returns."""

import os
import re
from collections.abc import Callable
from http import HTTPStatus
from typing import Any

from flask import Flask, Request, Response, g, has_request_context, request
from werkzeug.middleware.proxy_fix import ProxyFix
from werkzeug.routing import MapAdapter, Rule

from app.web import health, metrics
from app.web.api import ingest, openapi, usage
from app.web.errors import register_error_handlers
from app.web.pages import register_pages
from app.web.pages.layout.errors import error_page
from app.web.services import register_services
from config.logging import name_requests_in_logs
from config.settings import Settings, load_settings

AS_FLASK_ASKS = {"return_rule": True}
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}", re.ASCII)


def create_app(settings: Settings | None = None) -> Flask:
    """The WSGI application; without `settings` they come from the environment.

    Raises what `load_settings` raises. Connects to nothing, but starts the threads of the database pool: call
    it after the fork.
    """
    settings = settings or load_settings()
    app = _LeanFlask(__name__, static_folder=None, template_folder="pages/templates")
    # Every answer is ours and in the envelope: no automatic OPTIONS, no redirects to tidier paths.
    app.config["PROVIDE_AUTOMATIC_OPTIONS"] = False
    app.url_map.merge_slashes = False
    app.before_request(_name_request)
    name_requests_in_logs(lambda: g.get("request_id") if has_request_context() else None)
    app.after_request(_complete_headers)
    register_services(app, settings)
    register_error_handlers(app, error_page)
    for module in (ingest, usage, health, metrics, openapi):
        app.register_blueprint(module.blueprint)
    register_pages(app, settings.secret_key)
    if settings.trusted_proxy_count > 0:
        hops = settings.trusted_proxy_count
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=hops, x_proto=hops)  # type: ignore[method-assign]  # Flask's own way
    return app


class _LeanFlask(Flask):
    """Flask without what every request would pay for and none here needs."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._found_rules: dict[tuple[str, str], Rule] = {}

    def ensure_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
        """Flask asks of every function that it calls, at every call, whether it is a coroutine; here none is."""
        return func

    def create_url_adapter(self, request: Request | None) -> MapAdapter | None:
        """Werkzeug's own way asks for the host twice, and encodes it for subdomains, which there are none of."""
        if request is None:
            return super().create_url_adapter(request)
        return _RememberingAdapter(
            self.url_map,
            server_name=request.host,
            script_name=request.root_path,
            subdomain="",
            url_scheme=request.scheme,
            path_info=request.path,
            default_method=request.method,
            query_args=request.query_string.decode("latin-1"),
            found=self._found_rules,
        )


class _RememberingAdapter(MapAdapter):
    """Finds rules without variables by a look, once they were found by a search."""

    def __init__(self, *args: Any, found: dict[tuple[str, str], Rule], **options: Any) -> None:
        super().__init__(*args, **options)
        self._found = found

    def match(self, *args: Any, **options: Any) -> Any:
        """As Werkzeug's."""
        if args or options != AS_FLASK_ASKS:
            return super().match(*args, **options)
        asked = (self.default_method, self.path_info)
        rule = self._found.get(asked)
        if rule is not None:
            return rule, {}
        rule, variables = super().match(**options)
        # as many as there are rules, however many paths are asked for
        if not variables:
            self._found[asked] = rule
        return rule, variables


def _name_request() -> None:
    given = request.environ.get("HTTP_X_REQUEST_ID", "")
    g.request_id = given if _REQUEST_ID.fullmatch(given) else os.urandom(16).hex()


def _complete_headers(response: Response) -> Response:
    headers = response.headers
    # add, where nobody else sets a header: set looks for an older one first
    headers.add("X-Request-Id", g.request_id)
    if response.status_code != HTTPStatus.NO_CONTENT:
        headers["X-Content-Type-Options"] = "nosniff"
        headers.setdefault("Cache-Control", "no-store")
    if window := g.get("rate_window"):
        for name, value in window.headers.items():
            headers.add(name, value)
    return response

"""`create_app` builds the web process."""

from http import HTTPStatus

from flask import Flask, Response, request
from werkzeug.middleware.proxy_fix import ProxyFix

from app.web import assets, health, metrics
from app.web.api import comparison, ingest, openapi, usage
from app.web.body import take_rest
from app.web.errors import register_error_handlers
from app.web.fast.lean_flask import LeanFlask
from app.web.fast.lean_way import with_lean_way
from app.web.pages import error_page, register_pages
from app.web.proxies import STRICT_TRANSPORT_SECURITY, is_https, notice_proxy
from app.web.request_context import begin_request, context, request_id
from app.web.services import register_services
from config.logging import link_documents_in_logs, name_requests_in_logs
from config.settings import Settings, load_settings


def create_app(settings: Settings | None = None) -> Flask:
    """The WSGI application; without `settings` they come from the environment.

    Raises what `load_settings` raises. Connects to nothing, but starts the threads of the database pool: call
    it after the fork.
    """
    settings = settings or load_settings()
    flask_class = LeanFlask if settings.fast_paths else Flask
    app = flask_class(__name__, static_folder=None, template_folder="pages/templates")
    # Every answer is ours and in the envelope: no automatic OPTIONS, no redirects to tidier paths.
    app.config["PROVIDE_AUTOMATIC_OPTIONS"] = False
    app.url_map.merge_slashes = False
    app.before_request(begin_request)
    app.after_request(_complete_headers)
    name_requests_in_logs(request_id)
    link_documents_in_logs(settings.public_url)
    register_services(app, settings)
    register_error_handlers(app, error_page)
    for module in (ingest, usage, comparison, health, metrics, openapi, assets):
        app.register_blueprint(module.blueprint)
    register_pages(app, settings.secret_key)
    if settings.trusted_proxy_count > 0:
        hops = settings.trusted_proxy_count
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=hops, x_proto=hops)  # type: ignore[method-assign]  # Flask's own way
    if settings.fast_paths:
        app.wsgi_app = with_lean_way(app)  # type: ignore[method-assign, assignment]  # the same
    return app


def _complete_headers(response: Response) -> Response:
    headers = response.headers
    known = context()
    # add, where nobody else sets a header: set looks for an older one first
    headers.add("X-Request-Id", known.request_id)
    # of a 204 there is nothing to sniff or to keep, and before it the whole body was read
    if response.status_code != HTTPStatus.NO_CONTENT:
        take_rest(request.environ)
        notice_proxy(request.environ)
        if is_https():
            headers["Strict-Transport-Security"] = STRICT_TRANSPORT_SECURITY
        headers["X-Content-Type-Options"] = "nosniff"
        headers.setdefault("Cache-Control", "no-store")
    if known.window is not None:
        for name, value in known.window.headers.items():
            headers.add(name, value)
    return response

"""The pages for people: sign-in, dashboard, API keys, members, system, documents. Each module has one blueprint."""

from flask import Flask, Response, request

from app.web.current_health import register_current_health
from app.web.errors import ApiError
from app.web.pages.access import session_cookie
from app.web.pages.access.forgery import register_forgery_protection
from app.web.pages.access.guards import add_project_to_urls
from app.web.pages.access.session_cookie import register_sessions
from app.web.pages.api_keys import changing, first_event
from app.web.pages.api_keys import views as api_keys
from app.web.pages.api_keys.ending import register_keys_ending
from app.web.pages.audit_log import views as audit_log
from app.web.pages.dashboard import project_charts, raw_events
from app.web.pages.dashboard import views as dashboard
from app.web.pages.documents import views as documents
from app.web.pages.layout import errors
from app.web.pages.layout.rendering import register_templates
from app.web.pages.news import budgets
from app.web.pages.news import views as news
from app.web.pages.projects import members, new_project
from app.web.pages.prompts import comparison_csv, comparisons, events, margins, names, version_chart, version_table
from app.web.pages.prompts import views as prompts
from app.web.pages.refusals import views as refusals
from app.web.pages.sign_in import account, one_time_link, sign_in
from app.web.pages.system import dead_letters, health
from app.web.pages.system import views as system
from app.web.pages.webhooks import views as webhooks

PAGES = (
    *(sign_in, one_time_link, account, members, new_project),
    *(dashboard, project_charts, raw_events, news, budgets),
    *(prompts, version_chart, version_table, names, events, comparisons, comparison_csv, margins),
    *(api_keys, changing, first_event, refusals, webhooks, system, dead_letters, health, audit_log, documents),
)


def register_pages(app: Flask, secret_key: str) -> None:
    """Add the pages to the app. Routes of the API pay nothing for them: no hook of these is the app's own."""
    register_sessions(app, secret_key)
    register_forgery_protection(app, secret_key)
    register_templates(app)
    register_keys_ending(app)
    register_current_health(app)
    for module in PAGES:
        app.register_blueprint(module.blueprint)
    add_project_to_urls(app)


def error_page(error: ApiError) -> Response:
    """The page that says what went wrong. Where no view is, there is no blueprint to open and save the session."""
    if request.blueprint is not None:
        return errors.error_page(error)
    session_cookie.open_session()
    return session_cookie.save_session(errors.error_page(error))

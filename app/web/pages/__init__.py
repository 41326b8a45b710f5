"""The pages for people: sign-in, dashboard, API keys, members, system. Each module has one blueprint."""

from flask import Flask

from app.web.pages import (
    account,
    api_keys,
    assets,
    dashboard,
    links,
    members,
    projects,
    prompt_page,
    raw_events,
    sign_in,
    system,
)
from app.web.pages.access import add_project_to_urls
from app.web.pages.forgery import register_forgery_protection
from app.web.pages.rendering import register_templates
from app.web.pages.session import register_sessions

PAGES = (sign_in, links, account, members, projects, dashboard, prompt_page, raw_events, api_keys, system)


def register_pages(app: Flask, secret_key: str) -> None:
    """Add the pages to the app. Routes of the API pay nothing for them: no hook of these is the app's own."""
    register_sessions(app, secret_key)
    register_forgery_protection(app, secret_key)
    register_templates(app)
    app.register_blueprint(assets.blueprint)
    for module in PAGES:
        app.register_blueprint(module.blueprint)
    add_project_to_urls(app)

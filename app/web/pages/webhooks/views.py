"""/dashboard/webhooks: where the news of a project goes, for its admins.

A secret is shown once, in the answer to the form that made it; an address, which may have a secret in it, never again.
"""

import logging
from datetime import UTC, datetime

from flask import flash, redirect, request, url_for
from werkzeug.wrappers import Response

from app.core.database import MAX_BIGINT, MAX_INTEGER
from app.core.errors import NotFound
from app.core.names import checked_name
from app.core.news.sealing import sealing_key
from app.core.news.webhooks import (
    MOST_WEBHOOKS,
    NewSecret,
    SwitchedOff,
    TooManyWebhooks,
    change_webhook,
    create_webhook,
    find_webhook,
    remove_webhook,
    repeat_delivery,
    replace_secret,
    try_webhook,
)
from app.core.queries.deliveries import DeliveryState, select_deliveries
from app.core.queries.webhooks import Webhook, select_webhooks
from app.web.pages.access.blueprint import page_blueprint
from app.web.pages.access.guards import signed_in
from app.web.pages.access.one_time_form import is_repeated, new_once
from app.web.pages.layout.paging import read_id
from app.web.pages.layout.rendering import page
from app.web.pages.news.words import kind_label, told
from app.web.pages.webhooks.delivery_csv import deliveries_csv
from app.web.pages.webhooks.forms import ChangeWebhookForm, WebhookForm
from app.web.request_context import actor, visitor
from app.web.services import ask_database, services

SHOWN_DELIVERIES = 25
SENT_BEFORE = "This form was sent before. A secret is shown only once: if you lost it, open the webhook and replace it."
OFF = "It is switched off: switch it on first."

log = logging.getLogger(__name__)

blueprint = page_blueprint("webhooks")


@blueprint.get("/dashboard/webhooks")
@signed_in("admin")
def webhooks() -> Response:
    return _list_page(WebhookForm(formdata=None, once=new_once()))


@blueprint.post("/dashboard/webhooks")
@signed_in("admin")
def create() -> Response:
    """Make a webhook and show its secret, this once; the form again with what is wrong with it."""
    form = WebhookForm()
    if not form.validate() or (address := form.checked_address) is None:
        return _list_page(form, status=400)
    if is_repeated("webhook-form", form.once.data):
        flash(SENT_BEFORE, "error")
        return redirect(url_for("pages_webhooks.webhooks"), code=303)
    try:
        made = ask_database(
            create_webhook,
            _key(),
            visitor().project_id,
            name=checked_name(form.name.data),
            address=address,
            kinds=form.kinds.data,
            by=actor(),
        )
    except TooManyWebhooks:
        form.name.errors = [f"A project has at most {MOST_WEBHOOKS} webhooks: delete one first."]
        form.once.data = new_once()
        return _list_page(form, status=400)
    _note("webhook made", made.webhook_id)
    return _show_once(made, is_new=True)


@blueprint.get("/dashboard/webhooks/<int:webhook_id>")
@signed_in("admin")
def webhook(webhook_id: int) -> Response:
    found = _find(webhook_id)
    form = ChangeWebhookForm(formdata=None, name=found.name, kinds=found.kinds, is_enabled=found.is_enabled)
    return _webhook_page(found, form)


@blueprint.get("/dashboard/webhooks/<int:webhook_id>/deliveries.csv")
@signed_in("admin")
def download(webhook_id: int) -> Response:
    return deliveries_csv(_find(webhook_id))


@blueprint.post("/dashboard/webhooks/<int:webhook_id>")
@signed_in("admin")
def change(webhook_id: int) -> Response:
    found = _find(webhook_id)
    form = ChangeWebhookForm()
    if not form.validate():
        return _webhook_page(found, form, status=400)
    ask_database(
        change_webhook,
        _key(),
        visitor().project_id,
        webhook_id,
        name=checked_name(form.name.data),
        address=form.checked_address,
        kinds=form.kinds.data,
        is_enabled=form.is_enabled.data,
        by=actor(),
    )
    _note("webhook changed", webhook_id)
    flash("Saved.", "success")
    return _to(webhook_id)


@blueprint.post("/dashboard/webhooks/<int:webhook_id>/test")
@signed_in("admin")
def send_test(webhook_id: int) -> Response:
    """Have a worker send it something now; what comes of it stands on the page."""
    try:
        ask_database(try_webhook, visitor().project_id, _checked(webhook_id), by=actor())
    except SwitchedOff:
        flash(OFF, "error")
        return _to(webhook_id)
    _note("webhook tried", webhook_id)
    flash("A test is on its way. What the receiver answers stands below in some seconds.", "success")
    return _to(webhook_id)


@blueprint.post("/dashboard/webhooks/<int:webhook_id>/secret")
@signed_in("admin")
def rotate(webhook_id: int) -> Response:
    """Make another secret and show it, this once."""
    made = ask_database(
        replace_secret, _key(), visitor().project_id, _checked(webhook_id), by=actor(), now=datetime.now(UTC)
    )
    _note("webhook secret replaced", webhook_id)
    return _show_once(made, is_new=False)


@blueprint.post("/dashboard/webhooks/<int:webhook_id>/delete")
@signed_in("admin")
def delete(webhook_id: int) -> Response:
    name = ask_database(remove_webhook, visitor().project_id, _checked(webhook_id), by=actor())
    _note("webhook deleted", webhook_id)
    flash(f"The webhook {name} is deleted. It gets nothing any more.", "success")
    return redirect(url_for("pages_webhooks.webhooks"), code=303)


@blueprint.post("/dashboard/webhooks/<int:webhook_id>/deliveries/<int:delivery_id>/repeat")
@signed_in("admin")
def repeat(webhook_id: int, delivery_id: int) -> Response:
    """Try one that was given up for another day."""
    if delivery_id > MAX_BIGINT:
        raise NotFound("there is no such delivery")
    try:
        ask_database(
            repeat_delivery,
            visitor().project_id,
            _checked(webhook_id),
            delivery_id,
            by=actor(),
            now=datetime.now(UTC),
        )
    except SwitchedOff:
        flash(OFF, "error")
        return _to(webhook_id)
    _note("delivery repeated", webhook_id)
    flash("It is sent again.", "success")
    return _to(webhook_id)


def _list_page(form: WebhookForm, *, status: int = 200) -> Response:
    found = ask_database(select_webhooks, visitor().project_id)
    return page(
        "webhooks/webhooks.html", active="webhooks", status=status, webhooks=found, form=form, kind_label=kind_label
    )


def _webhook_page(found: Webhook, form: ChangeWebhookForm, *, status: int = 200) -> Response:
    before = read_id(request.args.get("before"))
    rows = ask_database(select_deliveries, found.webhook_id, before=before, limit=SHOWN_DELIVERIES + 1)
    shown = rows[:SHOWN_DELIVERIES]
    previous_until = found.previous_secret_until
    return page(
        "webhooks/webhook.html",
        active="webhooks",
        status=status,
        webhook=found,
        form=form,
        both_secrets_until=previous_until if previous_until and previous_until > datetime.now(UTC) else None,
        deliveries=shown,
        states=DeliveryState,
        kind_label=kind_label,
        told=told,
        is_first=before is None,
        older=shown[-1].delivery_id if len(rows) > len(shown) else None,
    )


def _show_once(made: NewSecret, *, is_new: bool) -> Response:
    found = _find(made.webhook_id)
    return page("webhooks/secret.html", active="webhooks", webhook=found, secret=made.secret, is_new=is_new)


def _find(webhook_id: int) -> Webhook:
    """Raises NotFound where the project has no such webhook."""
    return ask_database(find_webhook, visitor().project_id, _checked(webhook_id))


def _checked(webhook_id: int) -> int:
    if webhook_id > MAX_INTEGER:
        raise NotFound("there is no such webhook in this project")
    return webhook_id


def _key() -> bytes:
    return sealing_key(services().settings.secret_key)


def _to(webhook_id: int) -> Response:
    return redirect(url_for("pages_webhooks.webhook", webhook_id=webhook_id), code=303)


def _note(message: str, webhook_id: int) -> None:
    log.info(
        message, extra={"webhook_id": webhook_id, "project_id": visitor().project_id, "user_id": visitor().user_id}
    )

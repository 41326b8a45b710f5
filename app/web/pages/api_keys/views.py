"""/dashboard/api-keys: a project's keys; admins make, rotate and revoke them.

A key is shown once, in the answer to the form that made it: it is in no URL, cookie, log or cache.
"""

from datetime import UTC, datetime

from flask import flash, redirect, request, url_for
from werkzeug.wrappers import Response

from app.core.errors import DatabaseUnavailable
from app.core.keys.lifecycle import KeyState, NewKey, NotReplaceable, create_key, revoke_key, rotate_key
from app.core.names import checked_name
from app.core.queries.api_keys import ApiKeyDescription, count_api_keys
from app.web.pages.access.blueprint import page_blueprint
from app.web.pages.access.guards import signed_in
from app.web.pages.access.one_time_form import is_repeated, new_once
from app.web.pages.api_keys.first_event import first_event_of
from app.web.pages.api_keys.forms import CreateKeyForm, RotateKeyForm, expiry_like
from app.web.pages.api_keys.listing import CSV_COLUMNS, SHOWN_KEYS, all_keys, listed_keys, when_used
from app.web.pages.api_keys.one_key import find_key, key_page
from app.web.pages.api_keys.snippets import snippets
from app.web.pages.layout.csv_download import csv_table
from app.web.pages.layout.paging import place_of, read_id
from app.web.pages.layout.rendering import page
from app.web.proxies import base_url
from app.web.request_context import actor, visitor
from app.web.services import ask_database, services

blueprint = page_blueprint("api_keys")


@blueprint.get("/dashboard/api-keys")
@signed_in()
def api_keys() -> Response:
    return _list_page(CreateKeyForm(formdata=None, once=new_once()))


@blueprint.post("/dashboard/api-keys")
@signed_in("admin")
def create() -> Response:
    """Make a key and show it, this once; the form again with what is wrong with it."""
    form = CreateKeyForm()
    if not form.validate():
        return _list_page(form, status=400)
    if is_repeated("api-key-form", form.once.data):
        flash(
            "This form was sent before. A key is shown only once: if you lost it, revoke it and make another.", "error"
        )
        return _to_list()
    now = datetime.now(UTC)
    new = ask_database(
        create_key,
        services().redis,
        project_id=visitor().project_id,
        name=checked_name(form.name.data),
        scopes=form.scopes,
        rate_limit=form.rate_limit,
        expires_at=form.expires_at(now),
        by=actor(),
        now=now,
    )
    return _show_once(new)


@blueprint.get("/dashboard/api-keys/<int:key_id>/rotate")
@signed_in("admin")
def confirm_rotation(key_id: int) -> Response:
    """Ask how long the old key is to keep working."""
    key = find_key(key_id)
    lifetime = None if key.expires_at is None else key.expires_at - key.created_at
    form = RotateKeyForm(formdata=None, expiry=expiry_like(lifetime))
    return key_page("rotate", key, form=form)


@blueprint.post("/dashboard/api-keys/<int:key_id>/rotate")
@signed_in("admin")
def rotate(key_id: int) -> Response:
    """Make a successor and show it, this once."""
    key = find_key(key_id)
    form = RotateKeyForm()
    if not form.validate():
        return key_page("rotate", key, status=400, form=form)
    now = datetime.now(UTC)
    try:
        new = ask_database(
            rotate_key,
            services().redis,
            key_id,
            project_id=visitor().project_id,
            overlap=form.overlap_duration,
            expires_at=form.expires_at(now),
            by=actor(),
            now=now,
        )
    except NotReplaceable as error:
        flash(str(error), "error")
        return _to_list()
    return _show_once(new, replaced=find_key(key_id))


@blueprint.get("/dashboard/api-keys/<int:key_id>/revoke")
@signed_in("admin")
def confirm_revocation(key_id: int) -> Response:
    key = find_key(key_id)
    used = when_used([key_id]).get(key_id)
    return key_page("revoke", key, last_used=used, problem=None)


@blueprint.post("/dashboard/api-keys/<int:key_id>/revoke")
@signed_in("admin")
def revoke(key_id: int) -> Response:
    """Make the key invalid within a second; where that cannot be said for sure, the question again."""
    key = find_key(key_id)
    try:
        at_once = ask_database(revoke_key, services().redis, key_id, actor(), project_id=visitor().project_id)
    except DatabaseUnavailable:
        problem = "A server did not answer, so the key may still be valid. Revoke it again."
        return key_page("revoke", key, status=503, last_used=None, problem=problem)
    delay = "" if at_once else " Redis is full or down: it may work for another minute."
    flash(f"{key.prefix}… is revoked.{delay}", "success")
    return _to_list()


@blueprint.get("/dashboard/api-keys.csv")
@signed_in()
def download() -> Response:
    return csv_table("api-keys.csv", CSV_COLUMNS, list(all_keys(visitor().project_id)))


def _list_page(form: CreateKeyForm, *, status: int = 200) -> Response:
    counts = ask_database(count_api_keys, visitor().project_id)
    asked = read_id(request.args.get("page")) or 1
    place = place_of(asked, counts.not_revoked + counts.revoked, per_page=SHOWN_KEYS)
    listed = listed_keys(visitor().project_id, limit=SHOWN_KEYS, offset=place.offset)
    return page(
        "api_keys/api_keys.html",
        active="api-keys",
        status=status,
        form=form,
        keys=[each for each in listed if each.state is not KeyState.REVOKED],
        revoked=[each for each in listed if each.state is KeyState.REVOKED],
        counts=counts,
        place=place,
        default_limit=services().settings.default_rate_limit,
    )


def _show_once(new: NewKey, *, replaced: ApiKeyDescription | None = None) -> Response:
    key = find_key(new.key_id)
    shown = snippets(base_url(), new.key, key.scopes)
    first = first_event_of(key, visitor().project_id) if "ingest" in key.scopes else None
    return key_page("created", key, secret=new.key, replaced=replaced, snippets=shown, first=first)


def _to_list() -> Response:
    return redirect(url_for("pages_api_keys.api_keys"), code=303)

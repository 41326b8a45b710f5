"""Names that members give to prompts and their versions."""

from collections.abc import Sequence
from uuid import UUID

from flask import flash, redirect, url_for
from werkzeug.wrappers import Response

from app.core.errors import NotFound
from app.core.queries.names import update_prompt_name, update_version_name
from app.web.pages.access.blueprint import page_blueprint
from app.web.pages.access.guards import signed_in
from app.web.pages.prompts.addresses import read_address
from app.web.pages.prompts.forms import NameForm, VersionNameForm
from app.web.request_context import visitor
from app.web.services import ask_database

blueprint = page_blueprint("names")


@blueprint.post("/dashboard/prompts/<uuid:prompt_id>/name")
@signed_in()
def name_prompt(prompt_id: UUID) -> Response:
    form = NameForm()
    if not form.validate():
        return back(prompt_id, problems=form.name.errors)
    name = form.name.data or None
    if not ask_database(update_prompt_name, visitor().project_id, prompt_id, name):
        raise NotFound("prompt")
    return _named(prompt_id, name)


@blueprint.post("/dashboard/prompts/<uuid:prompt_id>/versions/name")
@signed_in()
def name_version(prompt_id: UUID) -> Response:
    form = VersionNameForm()
    if not form.validate():
        return back(prompt_id, problems=[*form.name.errors, *form.version_hash.errors])
    name = form.name.data or None
    if not ask_database(update_version_name, visitor().project_id, prompt_id, form.version_hash.data, name):
        raise NotFound("version")
    return _named(prompt_id, name)


def back(prompt_id: UUID, *, problems: Sequence[str] = ()) -> Response:
    """To the page as it was, where the problems are told."""
    if problems:
        flash(" ".join(problems), "error")
    return redirect(url_for("pages_prompt.prompt", prompt_id=prompt_id, **read_address().arguments), code=303)


def _named(prompt_id: UUID, name: str | None) -> Response:
    flash("The name is saved." if name else "The name is taken away.", "success")
    return back(prompt_id)

"""New projects, which operators make."""

from flask import flash, redirect
from werkzeug.wrappers import Response

from app.core.accounts.members import create_project
from app.core.errors import AlreadyExists
from app.web.errors import ApiError
from app.web.pages.access.blueprint import page_blueprint
from app.web.pages.access.guards import signed_in
from app.web.pages.layout.rendering import page
from app.web.pages.projects.forms import ProjectForm
from app.web.request_context import actor, visitor
from app.web.services import ask_database

blueprint = page_blueprint("projects")


@blueprint.get("/dashboard/projects")
@signed_in(role=None)
def new_project() -> Response:
    _require_operator()
    return page("projects/new_project.html", form=ProjectForm())


@blueprint.post("/dashboard/projects")
@signed_in(role=None)
def add() -> Response:
    """Make a project whose admin is the operator, and go to its dashboard."""
    _require_operator()
    form = ProjectForm()
    if form.validate():
        try:
            project_id = ask_database(create_project, form.name.data, actor())
        except AlreadyExists:
            form.name.errors = ["There is a project with this name already: you find it in the list of projects."]
        else:
            flash("The project is there. Make its first API key, and invite others.", "success")
            return redirect(f"/dashboard?project={project_id}", code=303)
    return page("projects/new_project.html", status=400, form=form)


def _require_operator() -> None:
    if not visitor().user.is_operator:
        raise ApiError(403, "FORBIDDEN", "Only operators make projects.")

"""/dashboard/budgets: what the project and its prompts may cost, what they have, and how long silence may last.

All members see it, admins change it.
"""

from dataclasses import dataclass
from datetime import UTC, datetime

from flask import flash, redirect, url_for
from werkzeug.wrappers import Response

from app.core.database import Connection
from app.core.errors import NotFound
from app.core.news.findings import THRESHOLDS_PERCENT
from app.core.news.limits import Month, month_of, set_budget, set_silence
from app.core.queries.budgets import (
    BudgetedSpend,
    PromptChoice,
    select_budgets,
    select_prompt_choices,
    select_silence_minutes,
)
from app.web.pages.access.blueprint import page_blueprint
from app.web.pages.access.guards import signed_in
from app.web.pages.layout.rendering import page
from app.web.pages.news.forms import WHOLE_PROJECT, BudgetForm, SilenceForm
from app.web.request_context import actor, visitor
from app.web.services import ask_database

SHOWN_PROMPTS = 500

blueprint = page_blueprint("budgets")


@dataclass(frozen=True, slots=True)
class Limits:
    """What is set for a project."""

    budgets: list[BudgetedSpend]
    prompts: list[PromptChoice]
    silence_minutes: int | None


@blueprint.get("/dashboard/budgets")
@signed_in()
def budgets() -> Response:
    return _budgets_page()


@blueprint.post("/dashboard/budgets")
@signed_in("admin")
def change_budget() -> Response:
    """Set a budget, or take it away; the form again with what is wrong with it."""
    form = BudgetForm()
    if not form.validate():
        return _budgets_page(budget_form=form, status=400)
    amount = form.amount.data
    try:
        ask_database(set_budget, visitor().project_id, form.prompt_id, amount, by=actor())
    except NotFound:
        form.prompt.errors = ["There is no such prompt."]
        return _budgets_page(budget_form=form, status=404)
    flash("The budget is taken away." if amount is None else "The budget is set.", "success")
    return redirect(url_for("pages_budgets.budgets"), code=303)


@blueprint.post("/dashboard/budgets/silence")
@signed_in("admin")
def change_silence() -> Response:
    form = SilenceForm()
    if not form.validate():
        return _budgets_page(silence_form=form, status=400)
    ask_database(set_silence, visitor().project_id, form.minutes.data, by=actor())
    flash("Saved. It holds from the next look on.", "success")
    return redirect(url_for("pages_budgets.budgets"), code=303)


def _budgets_page(
    *, budget_form: BudgetForm | None = None, silence_form: SilenceForm | None = None, status: int = 200
) -> Response:
    month = month_of(datetime.now(UTC))
    limits = ask_database(_read_limits, visitor().project_id, month)
    budget_form = budget_form or BudgetForm(formdata=None)
    budget_form.prompt.choices = [
        (WHOLE_PROJECT, "The whole project"),
        *((str(prompt.prompt_id), prompt.name or str(prompt.prompt_id)) for prompt in limits.prompts),
    ]
    return page(
        "news/budgets.html",
        active="news",
        status=status,
        month=month,
        limits=limits,
        thresholds=THRESHOLDS_PERCENT,
        budget_form=budget_form,
        silence_form=silence_form or SilenceForm(formdata=None, minutes=limits.silence_minutes),
    )


def _read_limits(connection: Connection, project_id: int, month: Month) -> Limits:
    return Limits(
        select_budgets(connection, month.start, month.end, project_id=project_id),
        select_prompt_choices(connection, project_id, limit=SHOWN_PROMPTS),
        select_silence_minutes(connection, project_id),
    )

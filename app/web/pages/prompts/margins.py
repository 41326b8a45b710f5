"""How much worse a version may be without it mattering: admins of a project set it, for the project and for prompts."""

from typing import Any
from uuid import UUID

from flask import flash, redirect, url_for
from flask_wtf import FlaskForm
from werkzeug.wrappers import Response
from wtforms import FloatField
from wtforms.validators import NumberRange, Optional, StopValidation, ValidationError

from app.core.analytics.comparison import Margins
from app.core.analytics.margins import find_margins, set_margins
from app.core.rollups.rollup import WHOLE
from app.web.pages.access.blueprint import page_blueprint
from app.web.pages.access.guards import signed_in
from app.web.pages.layout.rendering import page
from app.web.pages.prompts.names import back
from app.web.request_context import actor, visitor
from app.web.services import ask_database

LARGEST_SCORE = 1e12
_NO_NUMBER = "Enter a number."
_FEWEST_PERCENT, _MOST_PERCENT = 0.1, 100

blueprint = page_blueprint("margins")


class NumberField(FloatField):
    """A number, with our words where it is none."""

    def process_formdata(self, valuelist: list[str]) -> None:
        try:
            super().process_formdata(valuelist)
        except ValueError:
            raise ValueError(_NO_NUMBER) from None

    def _value(self) -> str:
        if self.raw_data:
            return str(self.raw_data[0])
        return "" if self.data is None else f"{self.data:.6g}"


def _is_sent(_form: FlaskForm, field: Any) -> None:
    # what is empty leaves the measure out: that must be meant
    if not field.raw_data:
        raise StopValidation(_NO_NUMBER)


def _is_score(_form: FlaskForm, field: Any) -> None:
    if not (field.data is not None and 0 < field.data <= LARGEST_SCORE):
        raise ValidationError("A margin of the score is above 0.")


_IS_PERCENT = [
    _is_sent,
    Optional(),
    NumberRange(_FEWEST_PERCENT, _MOST_PERCENT, "A margin has from 0.1 to 100 per cent."),
]


class MarginsForm(FlaskForm):
    """Per cent, but for the score. What is empty is not part of the decision."""

    cost_usd = NumberField("Cost, %", _IS_PERCENT)
    latency_ms = NumberField("Latency, %", _IS_PERCENT)
    latency_p95_ms = NumberField("Latency p95, %", _IS_PERCENT)
    score = NumberField("Score", [_is_sent, Optional(), _is_score])

    @property
    def margins(self) -> Margins:
        shares = (self.cost_usd.data, self.latency_ms.data, self.latency_p95_ms.data)
        cost, latency, tail = (None if percent is None else percent / 100 for percent in shares)
        return Margins(cost, latency, tail, self.score.data)

    def validate(self, extra_validators: Any = None) -> bool:
        is_valid: bool = super().validate(extra_validators)
        if is_valid and all(field.data is None for field in self if isinstance(field, NumberField)):
            self.cost_usd.errors = ["One measure at least is part of the decision."]
            return False
        return is_valid

    @property
    def problems(self) -> list[str]:
        return [f"{field.label.text}: {error}" for field in self if field.errors for error in field.errors]


def form_of(margins: Margins) -> MarginsForm:
    """What is set, to be changed."""
    return MarginsForm(
        formdata=None,
        cost_usd=_percent(margins.cost_usd),
        latency_ms=_percent(margins.latency_ms),
        latency_p95_ms=_percent(margins.latency_p95_ms),
        score=margins.score,
    )


def _percent(share: float | None) -> float | None:
    return None if share is None else 100 * share


@blueprint.get("/dashboard/margins")
@signed_in()
def margins() -> Response:
    return _page_of_project(form_of(ask_database(find_margins, visitor().project_id, WHOLE).margins))


@blueprint.post("/dashboard/margins")
@signed_in(role="admin")
def change() -> Response:
    form = MarginsForm()
    if not form.validate():
        return _page_of_project(form, status=400)
    ask_database(set_margins, visitor().project_id, None, form.margins, actor())
    flash("The margins are saved. They hold for every prompt without margins of its own.", "success")
    return redirect(url_for(".margins"), code=303)


@blueprint.post("/dashboard/margins/reset")
@signed_in(role="admin")
def reset() -> Response:
    ask_database(set_margins, visitor().project_id, None, None, actor())
    flash("The margins are the default ones again.", "success")
    return redirect(url_for(".margins"), code=303)


@blueprint.post("/dashboard/prompts/<uuid:prompt_id>/margins")
@signed_in(role="admin")
def change_of_prompt(prompt_id: UUID) -> Response:
    form = MarginsForm()
    if not form.validate():
        return back(prompt_id, problems=["The margins are as before.", *form.problems])
    ask_database(set_margins, visitor().project_id, prompt_id, form.margins, actor())
    flash("The margins of this prompt are saved.", "success")
    return back(prompt_id)


@blueprint.post("/dashboard/prompts/<uuid:prompt_id>/margins/reset")
@signed_in(role="admin")
def reset_of_prompt(prompt_id: UUID) -> Response:
    ask_database(set_margins, visitor().project_id, prompt_id, None, actor())
    flash("The margins of the project hold for this prompt again.", "success")
    return back(prompt_id)


def _page_of_project(form: MarginsForm, *, status: int = 200) -> Response:
    found = ask_database(find_margins, visitor().project_id, WHOLE)
    return page("prompts/margins.html", active="dashboard", status=status, form=form, found=found)

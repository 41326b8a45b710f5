"""The forms of budgets and of silence."""

import re
from decimal import Decimal
from typing import Any
from uuid import UUID

from flask_wtf import FlaskForm
from wtforms import IntegerField, SelectField, StringField
from wtforms.validators import NumberRange, Optional, ValidationError

from app.core.news.limits import LARGEST_BUDGET_USD, LONGEST_SILENCE_MINUTES, SHORTEST_SILENCE_MINUTES

CENT = Decimal("0.01")
WHOLE_PROJECT = ""
_AMOUNT = re.compile(r"(?:\d{1,13}|\d{1,3}(?:,\d{3}){1,4})(?:\.\d{1,9})?", re.ASCII)
BETWEEN = (
    f"Must be a whole number from {SHORTEST_SILENCE_MINUTES} to {LONGEST_SILENCE_MINUTES:,}, or empty for no such news."
)


def _amount(text: str | None) -> Decimal | None:
    """US dollars in whole cents. Raises ValueError, which WTForms takes for an error of the field."""
    text = (text or "").strip().removeprefix("$")
    if not text:
        return None
    # a comma is taken for what it is before three digits only: where it is the decimal mark, 99,50 is not 9950
    amount = Decimal(text.replace(",", "")) if _AMOUNT.fullmatch(text) else None
    if amount is None or not CENT <= amount <= LARGEST_BUDGET_USD:
        raise ValueError("Must be US dollars from 0.01 on, such as 250 or 99.50; empty takes the budget away.")
    return amount.quantize(CENT)


def _is_prompt(_form: FlaskForm, field: Any) -> None:
    if field.data == WHOLE_PROJECT:
        return
    try:
        UUID(field.data)
    except ValueError:
        raise ValidationError("There is no such prompt.") from None


class BudgetForm(FlaskForm):
    """How much the project or a prompt may cost in a month; without an amount there is no budget."""

    prompt = SelectField("Of", [_is_prompt], validate_choice=False, default=WHOLE_PROJECT)
    amount = StringField("US dollars a month", filters=[_amount])

    @property
    def prompt_id(self) -> UUID | None:
        """None: the whole project. Call it for a valid form."""
        return UUID(self.prompt.data) if self.prompt.data else None


class SilenceForm(FlaskForm):
    """After how many minutes without an event silence is news; empty: never."""

    minutes = IntegerField(
        "Minutes", [Optional(), NumberRange(SHORTEST_SILENCE_MINUTES, LONGEST_SILENCE_MINUTES, BETWEEN)]
    )

"""The forms of webhooks."""

from typing import Any

from flask_wtf import FlaskForm
from wtforms import BooleanField, HiddenField, SelectMultipleField, StringField
from wtforms.validators import InputRequired, Optional, StopValidation, ValidationError
from wtforms.widgets import CheckboxInput

from app.core.names import LONGEST_NAME
from app.core.news.addresses import LONGEST_ADDRESS, AddressRules, checked_address
from app.core.news.webhooks import WebhookAddress
from app.core.queries.news import NewsKind
from app.web.pages.layout.form_fields import is_name, stripped
from app.web.pages.news.words import KINDS
from app.web.services import services
from config.settings import ALLOW

CHOICES = [(kind, label) for kind, label in KINDS.items() if kind != NewsKind.TEST]


def address_rules() -> AddressRules:
    """What the operator's settings allow."""
    settings = services().settings
    return AddressRules(
        allow_private=settings.webhook_private_addresses == ALLOW, allow_http=settings.webhook_http == ALLOW
    )


def _check_address(_form: FlaskForm, field: Any) -> None:
    try:
        checked_address(field.data, address_rules())
    except ValueError as error:
        raise ValidationError(str(error)) from None


def _choose_one(_form: FlaskForm, field: Any) -> None:
    # InputRequired would have the browser ask for every single box
    if not field.data:
        raise StopValidation("Choose at least one.")


class WebhookForm(FlaskForm):
    """A new webhook. `once` is a random value: the same form sent twice makes one webhook."""

    name = StringField(
        "Name",
        [InputRequired("Give it a name, such as who reads there."), is_name],
        render_kw={"maxlength": LONGEST_NAME},
        filters=[stripped],
    )
    address = StringField(
        "Address",
        [InputRequired("Enter an address that begins with https://."), _check_address],
        render_kw={"maxlength": LONGEST_ADDRESS},
        filters=[stripped],
    )
    kinds = SelectMultipleField(
        "News",
        [_choose_one],
        choices=CHOICES,
        default=[kind for kind, _ in CHOICES],
        option_widget=CheckboxInput(),
    )
    once = HiddenField()

    @property
    def checked_address(self) -> WebhookAddress | None:
        """None where none was entered. Call it for a valid form."""
        text = self.address.data
        return WebhookAddress(host=checked_address(text, address_rules()), text=text) if text else None


class ChangeWebhookForm(WebhookForm):
    """What can be changed; the address stays where none is entered."""

    address = StringField(
        "New address",
        [Optional(), _check_address],
        render_kw={"maxlength": LONGEST_ADDRESS},
        filters=[stripped],
    )
    is_enabled = BooleanField("Switched on")

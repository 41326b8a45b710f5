"""The forms of the API-key page."""

from datetime import UTC, datetime, timedelta
from typing import Any

from flask_wtf import FlaskForm
from wtforms import BooleanField, DateField, HiddenField, IntegerField, RadioField, SelectField, StringField
from wtforms.validators import InputRequired, NumberRange, Optional, StopValidation, ValidationError

from app.core.keys.lifecycle import LAST_DAY, SCOPES, end_of_day
from app.core.names import LONGEST_NAME
from app.web.pages.layout.form_fields import is_name
from config.settings import MAX_COUNT, check_rate_limit

NEVER = "never"
ON_A_DAY = "day"
DAYS = (30, 90, 365)
EXPIRIES = [
    (NEVER, "Never"),
    *((str(days), f"After {days} days") for days in DAYS),
    (ON_A_DAY, "On a day of my choice"),
]
OVERLAPS = {
    "1h": ("1 hour", timedelta(hours=1)),
    "24h": ("24 hours", timedelta(days=1)),
    "7d": ("7 days", timedelta(7)),
}
UNITS = [("second", "Second"), ("minute", "Minute"), ("hour", "Hour")]


def _check_day(form: FlaskForm, field: Any) -> None:
    """Whatever is wrong with the day does not matter where another end is chosen."""
    field.errors = []
    if form.expiry.data != ON_A_DAY:
        raise StopValidation
    if field.data is None:
        raise StopValidation("Choose the last day on which the key works.")
    if field.data < datetime.now(UTC).date():
        raise StopValidation("This day is over.")
    if field.data > LAST_DAY:
        raise StopValidation("Choose an earlier day.")


class ExpiryForm(FlaskForm):
    """When a key ends."""

    expiry = SelectField("Expires", choices=EXPIRIES, default=NEVER)
    day = DateField("Last day (UTC)", [_check_day])

    def expires_at(self, now: datetime) -> datetime | None:
        """When the key ends: at the end of its last day in UTC. Call it for a valid form."""
        if self.expiry.data == NEVER:
            return None
        if self.expiry.data == ON_A_DAY:
            return end_of_day(self.day.data)
        return now + timedelta(days=int(self.expiry.data))


class NamedKeyForm(ExpiryForm):
    """What a key is called, and its limit."""

    name = StringField(
        "Name",
        [InputRequired("Give the key a name, such as the service that uses it."), is_name],
        render_kw={"maxlength": LONGEST_NAME},
    )
    limit = IntegerField("Rate limit", [Optional(), NumberRange(1, MAX_COUNT, "Must be a whole number from 1.")])
    unit = SelectField("Per", choices=UNITS, default="minute")

    @property
    def rate_limit(self) -> str | None:
        """The key's own limit; None for the default."""
        return None if self.limit.data is None else check_rate_limit(f"{self.limit.data}/{self.unit.data}")


class CreateKeyForm(NamedKeyForm):
    """A new key. `once` is a random value: the same form sent twice makes one key."""

    ingest = BooleanField("ingest", default=True)
    read = BooleanField("read")
    once = HiddenField()

    def validate_read(self, field: Any) -> None:
        """A key that may do nothing is none."""
        if not (self.ingest.data or field.data):
            raise ValidationError("Choose at least one.")

    @property
    def scopes(self) -> list[str]:
        return [scope for scope in SCOPES if self[scope].data]


class RotateKeyForm(ExpiryForm):
    """A successor for a key."""

    expiry = SelectField("The new key expires", choices=EXPIRIES, default=NEVER)
    overlap = RadioField(
        "The old key keeps working for",
        choices=[(value, label) for value, (label, _) in OVERLAPS.items()],
        default="24h",
    )

    @property
    def overlap_duration(self) -> timedelta:
        return OVERLAPS[self.overlap.data][1]


def expiry_like(lifetime: timedelta | None) -> str:
    """The choice for a successor: as long as the old key was made for, as far as there is such a choice."""
    if lifetime is None:
        return NEVER
    return str(next((days for days in DAYS if lifetime <= timedelta(days=days)), DAYS[-1]))

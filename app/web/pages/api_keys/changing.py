"""/dashboard/api-keys/…/change: name, limit and end of a key that is in use."""

import re
from datetime import UTC, datetime
from typing import Any

from flask import flash, redirect, url_for
from werkzeug.wrappers import Response
from wtforms import SelectField
from wtforms.validators import ValidationError

from app.core.errors import DatabaseUnavailable
from app.core.keys.change import NotChangeable, change_key
from app.core.names import checked_name
from app.core.queries.api_keys import ApiKeyDescription
from app.web.pages.access.blueprint import page_blueprint
from app.web.pages.access.guards import signed_in
from app.web.pages.api_keys.forms import EXPIRIES, UNITS, NamedKeyForm
from app.web.pages.api_keys.one_key import find_key, key_page
from app.web.pages.layout.formatting import utc
from app.web.request_context import actor, visitor
from app.web.services import ask_database, services

AS_IT_IS, DEFAULT = "kept", "default"
_PLAIN_LIMIT = re.compile(r"(\d+)/(second|minute|hour)")

blueprint = page_blueprint("api_key_changes")


class ChangeKeyForm(NamedKeyForm):
    """What a key is from now on. A limit that this form could not say, made on the command line, can be left alone."""

    expiry = SelectField("Expires", choices=EXPIRIES, default=AS_IT_IS)

    def __init__(self, key: ApiKeyDescription) -> None:
        """Filled in with what the key is, unless the form was sent."""
        plain = _PLAIN_LIMIT.fullmatch(key.rate_limit or "")
        self._key, self.is_odd_limit = key, key.rate_limit is not None and plain is None
        limit, unit = (int(plain[1]), plain[2]) if plain else (None, AS_IT_IS if self.is_odd_limit else "minute")
        super().__init__(name=key.name, limit=limit, unit=unit)
        end = "never" if key.expires_at is None else utc(key.expires_at)
        self.expiry.choices = [(AS_IT_IS, f"As it is: {end}"), *EXPIRIES]
        if self.is_odd_limit:
            self.unit.choices = [(AS_IT_IS, f"as it is: {key.rate_limit}"), (DEFAULT, "as by default"), *UNITS]

    def validate_unit(self, field: Any) -> None:
        """Neither a number beside a limit that needs none is ignored without a word, nor a unit without a number."""
        if not self.is_odd_limit or self.limit.errors:
            return
        needs_number = field.data not in (AS_IT_IS, DEFAULT)
        if needs_number and self.limit.data is None:
            raise ValidationError("Give the number too, or choose the limit as it is or as by default.")
        if not needs_number and self.limit.data is not None:
            raise ValidationError("Choose what the number is for, or leave the number empty.")

    @property
    def rate_limit(self) -> str | None:
        """The key's own limit; None for the default."""
        if self.unit.data == DEFAULT:
            return None
        return self._key.rate_limit if self.unit.data == AS_IT_IS else super().rate_limit

    def expires_at(self, now: datetime) -> datetime | None:
        """When the key ends from now on."""
        return self._key.expires_at if self.expiry.data == AS_IT_IS else super().expires_at(now)


@blueprint.get("/dashboard/api-keys/<int:key_id>/change")
@signed_in("admin")
def form(key_id: int) -> Response:
    """Ask what the key is to be."""
    key = find_key(key_id)
    return _page(key, ChangeKeyForm(key))


@blueprint.post("/dashboard/api-keys/<int:key_id>/change")
@signed_in("admin")
def change(key_id: int) -> Response:
    """Change it within a second; the form again with what is wrong with it, or where a server does not answer."""
    key = find_key(key_id)
    wanted = ChangeKeyForm(key)
    if not wanted.validate():
        return _page(key, wanted, status=400)
    now = datetime.now(UTC)
    name = checked_name(wanted.name.data)
    try:
        at_once = ask_database(
            change_key,
            services().redis,
            key_id,
            project_id=visitor().project_id,
            name=name,
            rate_limit=wanted.rate_limit,
            expires_at=wanted.expires_at(now),
            by=actor(),
            now=now,
        )
    except NotChangeable:
        return _page(find_key(key_id), wanted, status=409)
    except DatabaseUnavailable:
        problem = "A server did not answer, so the key may be changed or not. Send it again."
        return _page(key, wanted, status=503, problem=problem)
    delay = "" if at_once else " Redis is full or down: it may take another minute to hold."
    flash(f"{key.prefix}… is changed.{delay}", "success")
    return redirect(url_for("pages_api_keys.api_keys"), code=303)


def _page(key: ApiKeyDescription, wanted: ChangeKeyForm, *, status: int = 200, problem: str | None = None) -> Response:
    default_limit = services().settings.default_rate_limit
    return key_page("change", key, status=status, form=wanted, problem=problem, default_limit=default_limit)

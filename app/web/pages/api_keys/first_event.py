"""/dashboard/api-keys/…/first-event: whether a new key works; its page asks until the first event has come."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import NamedTuple

from werkzeug.wrappers import Response

from app.core.errors import RedisUnavailable
from app.core.keys.uses import first_event_at
from app.core.operations.refusal_entries import RefusalEntry
from app.core.operations.refusal_log import read_refusals
from app.core.queries.api_keys import ApiKeyDescription
from app.web.pages.access.blueprint import page_blueprint
from app.web.pages.access.guards import signed_in
from app.web.pages.api_keys.one_key import find_key, key_page
from app.web.request_context import visitor
from app.web.services import services

blueprint = page_blueprint("first_event")


class FirstEvent(NamedTuple):
    """When a key's first event came, None before that; and which of its requests were refused, the newest first.

    Where Redis does not answer nothing `is_known`.
    """

    is_known: bool
    at: datetime | None = None
    refused: Sequence[RefusalEntry] = ()


def first_event_of(key: ApiKeyDescription, project_id: int) -> FirstEvent:
    client = services().redis
    try:
        at = first_event_at(client, key.key_id)
        refused = read_refusals(client, project_id, datetime.now(UTC), since=key.created_at)
    except RedisUnavailable:
        return FirstEvent(is_known=False)
    return FirstEvent(is_known=True, at=at, refused=[entry for entry in refused if entry.key_id == key.key_id])


@blueprint.get("/dashboard/api-keys/<int:key_id>/first-event")
@signed_in()
def first_event(key_id: int) -> Response:
    key = find_key(key_id)
    return key_page("first_event", key, first=first_event_of(key, visitor().project_id))

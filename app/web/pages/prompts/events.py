"""/dashboard/prompts/<id>/events: single events of a prompt, and all of them as CSV."""

from uuid import UUID

from flask import request
from werkzeug.wrappers import Response

from app.core.analytics.prompt_versions import find_versions, keys_of
from app.core.analytics.single_events import MOST_EVENTS, read_single_events
from app.core.analytics.usage import find_prompt
from app.core.database import Connection
from app.core.queries.raw_events import EventsOf, Order
from app.core.visible_text import version_labels
from app.web.pages.access.blueprint import page_blueprint
from app.web.pages.access.guards import signed_in
from app.web.pages.dashboard.raw_events import download
from app.web.pages.layout.ranges import RANGES
from app.web.pages.layout.rendering import page
from app.web.pages.prompts.addresses import read_address, versions_looked_up
from app.web.reading import ask_stored
from app.web.request_context import visitor
from app.web.services import services

ORDERS: dict[Order, tuple[str, str]] = {
    "latest": ("Latest", "events"),
    "slowest": ("Slowest", "events with a latency"),
    "dearest": ("Dearest", "events with a cost"),
    "lowest": ("Lowest score", "events with a score"),
}
"""How they are asked for, and of which there are none where none is found."""

blueprint = page_blueprint("events")


@blueprint.get("/dashboard/prompts/<uuid:prompt_id>/events")
@signed_in()
def events(prompt_id: UUID) -> Response:
    """The page; 404 for a prompt or a version that is not there. An order that makes no sense is the default."""
    address = read_address()
    shown = address.shown
    order: Order = next((key for key in ORDERS if key == request.args.get("by")), "latest")
    with versions_looked_up():
        found = ask_stored(
            read_single_events, visitor().project_id, prompt_id, shown.time_range, only=address.only, order=order
        )
    versions = {(event.version_hash, event.version_name) for event in found.events}
    return page(
        "prompts/events.html",
        active="dashboard",
        status=200 if shown.problem is None else 400,
        now=address.now,
        shown=shown,
        ranges=RANGES,
        prompt_id=prompt_id,
        found=found,
        order=order,
        orders=ORDERS,
        most=MOST_EVENTS,
        retention_days=services().settings.retention_days,
        labels=version_labels([*versions, *((version.version_hash, version.name) for version in found.only)]),
        only=address.kept_but("range", "choice", "metric", "table", "hidden"),
    )


@blueprint.get("/dashboard/prompts/<uuid:prompt_id>/events.csv")
@signed_in()
def events_csv(prompt_id: UUID) -> Response:
    """All raw events of the prompt, or of the versions that the address names, as `download` sends them."""

    def find() -> EventsOf:
        with versions_looked_up():
            return ask_stored(_find, visitor().project_id, prompt_id, read_address().only)

    return download(find, f"events-{prompt_id}")


def _find(connection: Connection, project_id: int, prompt_id: UUID, only: tuple[str, ...]) -> EventsOf:
    prompt_key = find_prompt(connection, project_id, prompt_id).prompt_key
    return EventsOf(project_id, prompt_key, keys_of(find_versions(connection, prompt_key, only)))

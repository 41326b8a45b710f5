"""/dashboard/refusals: the requests of a project's keys that were refused last, for all its members."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from flask import request
from werkzeug.wrappers import Response

from app.core.database import MAX_INTEGER
from app.core.errors import RedisUnavailable
from app.core.operations.refusal_entries import RefusalEntry
from app.core.operations.refusal_log import KEPT_ENTRIES, read_refusals
from app.core.operations.refusals import RefusalCount, count_refusals
from app.core.queries.key_facts import KeyName, select_key_names
from app.web.pages.access.blueprint import page_blueprint
from app.web.pages.access.guards import signed_in
from app.web.pages.layout.csv_download import csv_table
from app.web.pages.layout.formatting import as_of
from app.web.pages.layout.paging import place_of, read_id
from app.web.pages.layout.rendering import page
from app.web.pages.system.facts import REFUSAL_MEANINGS
from app.web.request_context import visitor
from app.web.services import ask_database, services

SHOWN_ENTRIES = 50
LONGEST_REQUEST_ID = 64
CALLS = {"event": "an event", "batch": "a batch", "read": "the numbers"}
AGES = {
    "15m": ("Last 15 minutes", timedelta(minutes=15)),
    "1h": ("Last hour", timedelta(hours=1)),
    "24h": ("Last 24 hours", timedelta(days=1)),
}


class Filters(NamedTuple):
    """What the address asks for; None for all of them."""

    key_id: int | None
    code: str | None
    age: str | None
    request_id: str | None

    def arguments(self) -> dict[str, str | int | None]:
        """For addresses that ask for the same."""
        return {"key": self.key_id, "code": self.code, "age": self.age, "request": self.request_id}


class Listed(NamedTuple):
    """An entry, and the key by the name that it has now; None for one that is not there any more."""

    entry: RefusalEntry
    key: KeyName | None


CSV_COLUMNS: dict[str, Callable[[Listed], object]] = {
    "at": lambda listed: listed.entry.at,
    "key_id": lambda listed: listed.entry.key_id,
    "key": lambda listed: listed.key and listed.key.name,
    "prefix": lambda listed: listed.key and listed.key.prefix,
    "call": lambda listed: listed.entry.call,
    "status": lambda listed: listed.entry.status,
    "code": lambda listed: listed.entry.code,
    "fields": lambda listed: ", ".join(dict.fromkeys(fault.field for fault in listed.entry.faults)),
    "problems": lambda listed: " ".join(f"{fault.field}: {fault.message}" for fault in listed.entry.faults),
    "more_problems": lambda listed: listed.entry.more_faults,
    "request_id": lambda listed: listed.entry.request_id,
    "left_out_before": lambda listed: listed.entry.left_out,
}

blueprint = page_blueprint("refusals")


@blueprint.get("/dashboard/refusals")
@signed_in()
def refusals() -> Response:
    """The page; where Redis does not answer it says so."""
    now = datetime.now(UTC)
    project_id, wanted = visitor().project_id, _filters(request.args)
    try:
        entries: Sequence[RefusalEntry] | None = read_refusals(services().redis, project_id, now)
        counts: Sequence[RefusalCount] = count_refusals(services().redis, now, project_id=project_id)
    except RedisUnavailable:
        entries, counts = None, []
    names = _names(project_id, entries or (), wanted)
    found = _matching(entries or (), wanted, now)
    place = place_of(read_id(request.args.get("page")) or 1, len(found), per_page=SHOWN_ENTRIES)
    return page(
        "refusals/refusals.html",
        active="api-keys",
        as_of=as_of(now),
        volatile=[as_of(now)],
        is_known=entries is not None,
        counts=counts,
        listed=[Listed(entry, names.get(entry.key_id)) for entry in found[place.offset : place.offset + SHOWN_ENTRIES]],
        total=len(found),
        place=place,
        wanted=wanted,
        names=sorted(names.values(), key=lambda key: (key.name.lower(), key.key_id)),
        codes=sorted({entry.code for entry in entries or ()} | ({wanted.code} - {None})),
        ages=AGES,
        calls=CALLS,
        meanings=REFUSAL_MEANINGS,
        most=KEPT_ENTRIES,
    )


@blueprint.get("/dashboard/refusals.csv")
@signed_in()
def download() -> Response:
    """All that the filters let through; 503 where Redis does not answer."""
    now = datetime.now(UTC)
    project_id, wanted = visitor().project_id, _filters(request.args)
    entries = read_refusals(services().redis, project_id, now)
    names = _names(project_id, entries, wanted)
    listed = [Listed(entry, names.get(entry.key_id)) for entry in _matching(entries, wanted, now)]
    return csv_table("refusals.csv", CSV_COLUMNS, listed)


def _names(project_id: int, entries: Sequence[RefusalEntry], wanted: Filters) -> dict[int, KeyName]:
    """Of the keys in the log and of the one that is asked for, as far as the project has them."""
    key_ids = {entry.key_id for entry in entries}
    if wanted.key_id is not None:
        key_ids.add(wanted.key_id)
    return {key.key_id: key for key in ask_database(select_key_names, project_id, sorted(key_ids))}


def _matching(entries: Sequence[RefusalEntry], wanted: Filters, now: datetime) -> list[RefusalEntry]:
    since = None if wanted.age is None else now - AGES[wanted.age][1]
    return [
        entry
        for entry in entries
        if wanted.key_id in (None, entry.key_id)
        and wanted.code in (None, entry.code)
        and wanted.request_id in (None, entry.request_id)
        and (since is None or entry.at >= since)
    ]


def _filters(arguments: Mapping[str, str]) -> Filters:
    """What makes no sense is no filter."""
    key_id, code, age = read_id(arguments.get("key")), arguments.get("code"), arguments.get("age")
    return Filters(
        key_id=key_id if key_id is not None and key_id <= MAX_INTEGER else None,
        code=code if code in REFUSAL_MEANINGS else None,
        age=age if age in AGES else None,
        request_id=arguments.get("request", "").strip()[:LONGEST_REQUEST_ID] or None,
    )

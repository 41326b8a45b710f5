"""/dashboard/audit-log: who did what, on what, from where and when.

An admin sees what was done in the project, and what concerns the accounts of its members since they joined: sign-ins,
passwords, links, without the address, and nothing of operators' accounts. An operator sees everything.
"""

from collections.abc import Callable, Mapping

from flask import request
from werkzeug.wrappers import Response

from app.core.queries.audit_log import Action, AuditEntry, select_audit_entries
from app.web.pages.access.blueprint import page_blueprint
from app.web.pages.access.guards import signed_in
from app.web.pages.layout.csv_download import csv_table
from app.web.pages.layout.paging import all_chunks, read_id
from app.web.pages.layout.rendering import page
from app.web.pages.system.facts import visible_project
from app.web.services import ask_database, asker

SHOWN_ENTRIES = 50
CHUNK_ENTRIES = 1_000
LONGEST_SEARCH = 254
ACTIONS = [action.value for action in Action]

CSV_COLUMNS: dict[str, Callable[[AuditEntry], object]] = {
    "id": lambda entry: entry.entry_id,
    "occurred_at": lambda entry: entry.occurred_at,
    "action": lambda entry: entry.action,
    "actor": lambda entry: entry.actor,
    "subject": lambda entry: entry.subject,
    "items": lambda entry: entry.items,
    "project_id": lambda entry: entry.project_id,
    "project": lambda entry: entry.project,
    "address": lambda entry: entry.address,
}

blueprint = page_blueprint("audit_log")


@blueprint.get("/dashboard/audit-log")
@signed_in("admin")
def audit_log() -> Response:
    """The newest entries, or with `before` those that are older than that one."""
    wanted = _filters(request.args)
    before = read_id(request.args.get("before"))
    found = ask_database(
        select_audit_entries, project_id=visible_project(), before=before, limit=SHOWN_ENTRIES + 1, **wanted
    )
    shown = found[:SHOWN_ENTRIES]
    return page(
        "audit_log/audit_log.html",
        active="audit-log",
        entries=shown,
        actions=ACTIONS,
        wanted=wanted,
        chosen={name: value for name, value in wanted.items() if value is not None},
        is_first=before is None,
        older=shown[-1].entry_id if len(found) > len(shown) else None,
    )


@blueprint.get("/dashboard/audit-log.csv")
@signed_in("admin")
def download() -> Response:
    """All that the filters let through, however many, read while they are sent."""
    ask, project_id, wanted = asker(select_audit_entries), visible_project(), _filters(request.args)

    def older(entry: AuditEntry | None) -> list[AuditEntry]:
        before = None if entry is None else entry.entry_id
        return ask(project_id=project_id, before=before, limit=CHUNK_ENTRIES, **wanted)

    # the first chunk now: where it fails, that is still an answer of its own
    return csv_table("audit-log.csv", CSV_COLUMNS, all_chunks(older(None), older, chunk_size=CHUNK_ENTRIES))


def _filters(arguments: Mapping[str, str]) -> dict[str, str | None]:
    """What the address asks for; an action that there is not is no filter."""
    action = arguments.get("action")
    text = arguments.get("q", "").replace("\0", "").strip()[:LONGEST_SEARCH]
    return {"action": action if action in ACTIONS else None, "text": text or None}

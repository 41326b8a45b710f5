"""What becomes of a refused request beside its answer: a count, and a place in the log of refusals."""

from collections.abc import Sequence

from flask import request

from app.core.operations.refusal_log import Refused
from app.web.envelope import Detail
from app.web.request_context import context
from app.web.services import services

CALLS = {"ingest.log_event": "event", "ingest.log_events": "batch"}


def note_refusal(status: int, code: str, details: Sequence[Detail]) -> None:
    """The request at hand, of the API, is answered with this error. Never waits and never raises."""
    known = context()
    key = known.api_key or known.ended_key
    project_id, key_id = (None, None) if key is None else (key.project_id, key.key_id)
    services().refusals.note(project_id, code)
    call = CALLS.get(request.endpoint or "", "read")
    services().refusal_log.note(Refused(project_id, key_id, call, int(status), code, known.request_id, details))

"""What becomes known of a refused request: a count, and as long as there are not too many a line in log and page."""

import logging
from collections.abc import Sequence

from flask import request

from app.core.operations.refusal_log import Refused, faults_of
from app.web.envelope import Detail
from app.web.request_context import context
from app.web.services import services

CALLS = {"ingest.log_event": "event", "ingest.log_events": "batch"}

log = logging.getLogger(__name__)


def note_refusal(status: int, code: str, details: Sequence[Detail]) -> None:
    """The request at hand, of the API, is answered with this error. Never waits and never raises."""
    known = context()
    key = known.api_key or known.ended_key
    project_id, key_id = (None, None) if key is None else (key.project_id, key.key_id)
    at_work = services()
    at_work.refusals.note(project_id, code)
    call = CALLS.get(request.endpoint or "", "read")
    if at_work.refusal_log.note(Refused(project_id, key_id, call, int(status), code, known.request_id, details)):
        fields = [fault.field for fault in faults_of(details)]
        told = {"status": int(status), "code": code, "project_id": project_id, "key_id": key_id, "fields": fields}
        log.info("request refused", extra=told)

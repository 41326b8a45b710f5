"""The body that webhooks get; docs/news.md says what is in it."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from app.core.news.sentences import page_path, sentence

USER_AGENT = "prompt-analytics"


def message_name(message_id: UUID) -> str:
    """The `id` of the message, which stays the same however often it is delivered."""
    return f"msg_{message_id.hex}"


def message_body(
    message_id: UUID,
    kind: str,
    payload: Mapping[str, Any],
    *,
    project_id: int,
    project: str,
    created_at: datetime,
    public_url: str | None,
) -> bytes:
    """JSON in UTF-8: made anew for each attempt, and the same as long as the project keeps its name."""
    url = None if public_url is None else public_url + page_path(kind, payload, project_id)
    text = escaped_for_slack(f"{project}: {sentence(kind, payload)}")
    body = {
        "id": message_name(message_id),
        "type": kind,
        "timestamp": created_at.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
        "project": {"id": project_id, "name": project},
        "data": dict(payload),
        "text": text if url is None else f"{text} {url}",
        "url": url,
    }
    return json.dumps(body, ensure_ascii=False).encode()


def escaped_for_slack(text: str) -> str:
    """So that a name such as <!channel> calls nobody: https://docs.slack.dev/messaging/formatting-message-text."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")

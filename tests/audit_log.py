"""The audit log, as its page, its download and its table tell it."""

import csv
import io

import httpx

from tests.commands import select

PAGE = "/dashboard/audit-log"


def entries(database_url: str) -> list[tuple[object, ...]]:
    """Action, actor, subject and project of each, oldest first."""
    return select(database_url, "SELECT action, actor, subject, project_id FROM audit_log ORDER BY id")


def downloaded(client: httpx.Client, **query: str) -> list[dict[str, str]]:
    """What the CSV has, newest first."""
    answer = client.get(f"{PAGE}.csv", params=query)
    assert answer.status_code == 200, answer.text
    return list(csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig"))))


def actions(client: httpx.Client, **query: str) -> list[str]:
    return [row["action"] for row in downloaded(client, **query)]

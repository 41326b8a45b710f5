"""The system page and its dead letters."""

import html
import re

import httpx

from tests.databases import kept_connection
from tests.sign_in import csrf_token

PAGE = "/dashboard/system"


INSERT_DEAD_LETTER = """
INSERT INTO dead_letters (entry_id, payload, reason, received_at, project_id)
VALUES (%s, %s, %s, now() - interval '2 hours', %s) RETURNING id
"""


def letters(database_url: str) -> set[int]:
    with kept_connection(database_url) as connection:
        return {row[0] for row in connection.execute("SELECT id FROM dead_letters")}


def send(client: httpx.Client, path: str, **fields: str) -> httpx.Response:
    return client.post(
        f"{PAGE}/dead-letters/{path}", data={"csrf_token": csrf_token(client)} | fields, follow_redirects=False
    )


def text(answer: httpx.Response) -> str:
    """What a reader of the page reads."""
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", answer.text)).split())

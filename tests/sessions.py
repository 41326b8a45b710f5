"""A user's sessions as tests see them."""

import httpx

from tests.databases import kept_connection

EMAIL = "ada@example.com"


PASSWORD = "correct horse battery"


def is_signed_in(client: httpx.Client) -> bool:
    return client.get("/account", follow_redirects=False).status_code == 200


def select(database_url: str, expression: str) -> list[tuple[object, ...]]:
    with kept_connection(database_url) as connection:
        return connection.execute(f"SELECT {expression} FROM sessions".encode()).fetchall()  # noqa: S608 - the same

"""The page of API keys, as an admin's browser uses it."""

import re
from uuid import uuid4

import httpx

from tests.sign_in import csrf_token

PAGE = "/dashboard/api-keys"


API = "/api/v1/prompts/analytics"


EVENT = {"prompt_id": "123e4567-e89b-12d3-a456-426614174000", "version_hash": "v"}


KEY = re.compile(r"eg_live_[0-9A-Za-z]{38}")


SELECT_KEYS = """
SELECT api_keys.id, name, scopes, rate_limit, expires_at, revoked_at, rotated_from, users.email
FROM api_keys LEFT JOIN users ON users.id = created_by
WHERE project_id = %s
ORDER BY api_keys.id
"""


def send(client: httpx.Client, path: str, **fields: str) -> httpx.Response:
    return client.post(path, data={"csrf_token": csrf_token(client, PAGE)} | fields, follow_redirects=False)


def create(client: httpx.Client, **fields: str) -> httpx.Response:
    return send(client, PAGE, **({"name": "ci", "ingest": "y", "expiry": "never", "once": uuid4().hex} | fields))


def key_in(answer: httpx.Response) -> str:
    found = set(KEY.findall(answer.text))
    assert len(found) == 1, answer.text
    return str(found.pop())


def status_with(web: str, key: str) -> int:
    return httpx.post(web + API, json=EVENT, headers={"Authorization": f"Bearer {key}"}).status_code

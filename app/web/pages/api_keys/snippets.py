"""Code that a person copies to make a first call: it runs as it stands, with the service's own URL and a key."""

import json
import shlex
from collections.abc import Collection
from string import Template
from typing import NamedTuple

from app.core.contract import ANALYTICS_PATH, EXAMPLE_EVENT


class Snippet(NamedTuple):
    """One way to call the API; `note` says what it needs and what to expect."""

    slug: str
    language: str
    code: str
    note: str


# sh_… are quoted for a shell, js_… for JSON, which JavaScript and Python read too.
CURL_SEND = """\
curl -i $sh_url \\
  -H $sh_authorization \\
  -H 'Content-Type: application/json' \\
  -d $sh_event"""
CURL_READ = """\
curl $sh_url \\
  -H $sh_authorization"""
PYTHON_SEND = """\
import httpx

response = httpx.post(
    $js_url,
    headers={"Authorization": $js_authorization},
    json={
$fields
    },
)
response.raise_for_status()
print(response.status_code)  # 204: the event is safe"""
PYTHON_READ = """\
import httpx

response = httpx.get($js_url, headers={"Authorization": $js_authorization})
response.raise_for_status()
print(response.json()["data"]["totals"])"""
TYPESCRIPT_SEND = """\
const response = await fetch($js_url, {
  method: "POST",
  headers: {
    Authorization: $js_authorization,
    "Content-Type": "application/json",
  },
  body: JSON.stringify({
$fields
  }),
});
if (!response.ok) throw new Error(await response.text());
console.log(response.status); // 204: the event is safe"""
TYPESCRIPT_READ = """\
const response = await fetch($js_url, {
  headers: { Authorization: $js_authorization },
});
if (!response.ok) throw new Error(await response.text());
console.log((await response.json()).data.totals);"""

NEEDS_HTTPX = "It needs httpx, which comes with most LLM SDKs."
NEEDS_FETCH = "For Node 18 or later, Deno and Bun."


def snippets(base_url: str, key: str, scopes: Collection[str]) -> list[Snippet]:
    """In curl, Python and TypeScript: send an event, or, with a key that may only read, ask for the totals."""
    url, authorization = base_url.rstrip("/") + ANALYTICS_PATH, f"Bearer {key}"
    values = {
        "sh_url": shlex.quote(url),
        "sh_authorization": shlex.quote(f"Authorization: {authorization}"),
        "sh_event": shlex.quote(json.dumps(EXAMPLE_EVENT)),
        "js_url": json.dumps(url),
        "js_authorization": json.dumps(authorization),
    }
    quoted = [f"        {json.dumps(name)}: {json.dumps(value)}," for name, value in EXAMPLE_EVENT.items()]
    bare = [f"    {name}: {json.dumps(value)}," for name, value in EXAMPLE_EVENT.items()]
    sends = "ingest" in scopes
    curl, python, typescript = (
        Template(code).substitute(values, fields="\n".join(fields))
        for code, fields in (
            (CURL_SEND if sends else CURL_READ, ()),
            (PYTHON_SEND if sends else PYTHON_READ, quoted),
            (TYPESCRIPT_SEND if sends else TYPESCRIPT_READ, bare),
        )
    )
    expected = "It answers 204: the event is safe." if sends else "It answers with the totals of the last 24 hours."
    return [
        Snippet("curl", "curl", curl, expected),
        Snippet("python", "Python", python, NEEDS_HTTPX),
        Snippet("typescript", "TypeScript", typescript, NEEDS_FETCH),
    ]

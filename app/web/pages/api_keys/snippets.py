"""Code that a person copies to make a first call: it runs as it stands, with the service's own URL and a key."""

import json
import shlex
from collections.abc import Collection
from typing import NamedTuple

PATH = "/api/v1/prompts/analytics"
EXAMPLE_EVENT = {
    "prompt_id": "7d6f2f6e-3f0e-4c7e-9d3a-1c2b3a4d5e6f",
    "version_hash": "v1",
    "latency_ms": 812.4,
    "cost_usd": 0.00042,
    "score": 0.87,
}


class Snippet(NamedTuple):
    """One way to call the API; `note` says what it needs and what to expect."""

    slug: str
    language: str
    code: str
    note: str


def snippets(base_url: str, key: str, scopes: Collection[str]) -> list[Snippet]:
    """In curl, Python and TypeScript: send an event, or, with a key that may only read, ask for the totals."""
    url = base_url.rstrip("/") + PATH
    if "ingest" in scopes:
        return [
            Snippet("curl", "curl", _curl_post(url, key), "It answers 204: the event is safe."),
            Snippet("python", "Python", _python_post(url, key), "It needs httpx, which comes with most LLM SDKs."),
            Snippet("typescript", "TypeScript", _typescript_post(url, key), "For Node 18 or later, Deno and Bun."),
        ]
    return [
        Snippet("curl", "curl", _curl_get(url, key), "It answers with the totals of the last 24 hours."),
        Snippet("python", "Python", _python_get(url, key), "It needs httpx, which comes with most LLM SDKs."),
        Snippet("typescript", "TypeScript", _typescript_get(url, key), "For Node 18 or later, Deno and Bun."),
    ]


def _curl_post(url: str, key: str) -> str:
    return (
        f"curl -i {shlex.quote(url)} \\\n"
        f"  -H {shlex.quote(f'Authorization: Bearer {key}')} \\\n"
        "  -H 'Content-Type: application/json' \\\n"
        f"  -d {shlex.quote(json.dumps(EXAMPLE_EVENT))}"
    )


def _curl_get(url: str, key: str) -> str:
    return f"curl {shlex.quote(url)} \\\n  -H {shlex.quote(f'Authorization: Bearer {key}')}"


def _python_post(url: str, key: str) -> str:
    event = "".join(f"        {json.dumps(name)}: {json.dumps(value)},\n" for name, value in EXAMPLE_EVENT.items())
    return (
        "import httpx\n\n"
        "response = httpx.post(\n"
        f"    {json.dumps(url)},\n"
        f"    headers={{{json.dumps('Authorization')}: {json.dumps(f'Bearer {key}')}}},\n"
        f"    json={{\n{event}    }},\n"
        ")\n"
        "response.raise_for_status()\n"
        "print(response.status_code)  # 204: the event is safe"
    )


def _python_get(url: str, key: str) -> str:
    return (
        "import httpx\n\n"
        f"response = httpx.get({json.dumps(url)}, headers={{{json.dumps('Authorization')}: "
        f"{json.dumps(f'Bearer {key}')}}})\n"
        "response.raise_for_status()\n"
        'print(response.json()["data"]["totals"])'
    )


def _typescript_post(url: str, key: str) -> str:
    event = "".join(f"    {name}: {json.dumps(value)},\n" for name, value in EXAMPLE_EVENT.items())
    return (
        f"const response = await fetch({json.dumps(url)}, {{\n"
        '  method: "POST",\n'
        "  headers: {\n"
        f"    Authorization: {json.dumps(f'Bearer {key}')},\n"
        '    "Content-Type": "application/json",\n'
        "  },\n"
        f"  body: JSON.stringify({{\n{event}  }}),\n"
        "});\n"
        "if (!response.ok) throw new Error(await response.text());\n"
        "console.log(response.status); // 204: the event is safe"
    )


def _typescript_get(url: str, key: str) -> str:
    return (
        f"const response = await fetch({json.dumps(url)}, {{\n"
        f"  headers: {{ Authorization: {json.dumps(f'Bearer {key}')} }},\n"
        "});\n"
        "if (!response.ok) throw new Error(await response.text());\n"
        "console.log((await response.json()).data.totals);"
    )

"""Code that a person copies to make a first call: it runs as it stands, with the service's own URL and a key."""

import json
import shlex
from collections.abc import Collection, Mapping
from importlib.resources import files
from string import Template
from typing import NamedTuple

from app.core.contract import ANALYTICS_PATH, EXAMPLE_EVENT


class Snippet(NamedTuple):
    """One way to call the API; `note` says what it needs and what to expect."""

    slug: str
    language: str
    code: str
    note: str


# In its files sh_… are quoted for a shell, js_… for JSON, which JavaScript and Python read too.
_CODE = files("app.web.pages.api_keys") / "code"

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
        "quoted_fields": _fields('        "{name}": {value},'),
        "bare_fields": _fields("    {name}: {value},"),
    }
    sends = "ingest" in scopes
    expected = "It answers 204: the event is safe." if sends else "It answers with the totals of the last 24 hours."
    return [
        Snippet(slug, language, _code("send" if sends else "read", slug, values), note)
        for slug, language, note in (
            ("curl", "curl", expected),
            ("python", "Python", NEEDS_HTTPX),
            ("typescript", "TypeScript", NEEDS_FETCH),
        )
    ]


def _fields(line: str) -> str:
    return "\n".join(line.format(name=name, value=json.dumps(value)) for name, value in EXAMPLE_EVENT.items())


def _code(what: str, slug: str, values: Mapping[str, str]) -> str:
    return Template((_CODE / f"{what}.{slug}.txt").read_text()).substitute(values).rstrip("\n")

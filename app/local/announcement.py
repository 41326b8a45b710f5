"""What a newcomer sees on the terminal."""

import contextlib
import sys
from pathlib import Path

from app.local.first_access import READ_PATH, FirstAccess

EXAMPLE_PROMPT = "7d6f2f6e-3f0e-4c7e-9d3a-1c2b3a4d5e6f"
EXAMPLE_EVENT = (
    f'{{"prompt_id": "{EXAMPLE_PROMPT}", "version_hash": "v1",'
    ' "latency_ms": 812.4, "cost_usd": 0.00042, "score": 0.87}'
)


def say(text: str) -> None:
    """Prints; a terminal that was closed is no reason to stop half way."""
    with contextlib.suppress(OSError):
        print(text, flush=True)


def complain(text: str) -> None:
    with contextlib.suppress(OSError):
        print(text, file=sys.stderr, flush=True)


def announcement(port: int, access: FirstAccess, data_dir: Path) -> str:
    url = f"http://127.0.0.1:{port}"
    authorization = f'-H "Authorization: Bearer {access.api_key}"'
    return f"""
Prompt Analytics runs at {url}

  API key     {access.api_key}  (project demo, scopes ingest and read)
  Dashboard   {url}/login
  Sign-in     {access.email}  {access.password}
  API docs    {url}/docs
  Readiness   {url}/readyz
  Read API    {url}{READ_PATH}
  Logs        {data_dir / "logs"}

Send an event; the answer is 204:

  curl -i {url}{READ_PATH} {authorization} -H "Content-Type: application/json" -d '{EXAMPLE_EVENT}'

Read the numbers:

  curl {authorization} {url}{READ_PATH}

Ctrl-C stops everything; the data stays.
"""

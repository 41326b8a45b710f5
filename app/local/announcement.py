"""What a newcomer sees on the terminal."""

import contextlib
import json
import sys
from pathlib import Path

from app.core.contract import ANALYTICS_PATH, EXAMPLE_EVENT
from app.local.first_access import FirstAccess


def say(text: str) -> None:
    """Prints; a terminal that was closed is no reason to stop half way."""
    with contextlib.suppress(OSError):
        print(text, flush=True)


def complain(text: str) -> None:
    with contextlib.suppress(OSError):
        print(text, file=sys.stderr, flush=True)


def announcement(url: str, access: FirstAccess, data_dir: Path) -> str:
    authorization = f'-H "Authorization: Bearer {access.api_key}"'
    return f"""
Prompt Analytics runs at {url}

  API key     {access.api_key}  (project demo, scopes ingest and read)
  Dashboard   {url}/login
  Sign-in     {access.email}  {access.password}
  API docs    {url}/docs
  Readiness   {url}/readyz
  Read API    {url}{ANALYTICS_PATH}
  Logs        {data_dir / "logs"}

Send an event; the answer is 204:

  curl -i {url}{ANALYTICS_PATH} {authorization} -H "Content-Type: application/json" -d '{json.dumps(EXAMPLE_EVENT)}'

Read the numbers:

  curl {authorization} {url}{ANALYTICS_PATH}

Ctrl-C stops everything; the data stays.
"""

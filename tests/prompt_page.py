"""The page of a prompt: two versions with history, and what it says of them."""

import random
import re
from datetime import timedelta
from html import unescape

from tests.stored_events import PROMPT, an_event, store_events

PATH = f"/dashboard/prompts/{PROMPT}"
TAG = re.compile(r"<[^>]+>")
_VERDICT = re.compile(r'<p class="verdict">(.*?)</p>', re.DOTALL)


def verdict(page: str) -> str:
    found = _VERDICT.search(page)
    assert found, "nothing is said of the newest version"
    text = unescape(TAG.sub("", found[1])).replace("\N{NO-BREAK SPACE}", " ")
    return " ".join(text.split()).replace(" .", ".").replace(" :", ":")


def store_two_versions(
    database_url: str, project_id: int, *, count: int = 150, older: str = "v1", newer: str = "v2"
) -> None:
    """In the same hours. The newer one costs half, is twice as slow, and scores alike."""
    drawn = random.Random(1)
    store_events(
        database_url,
        [
            an_event(
                project_id,
                timedelta(hours=2 + 6 * number / count, seconds=later),
                version=version,
                cost_usd=f"{cost + drawn.random() / 1_000:.6f}",
                latency_ms=f"{latency * drawn.uniform(0.9, 1.1):.1f}",
                score=drawn.choice(["0.4", "0.6"]),
            )
            for version, later, cost, latency in ((older, 60, 0.1, 1_000), (newer, 0, 0.05, 2_000))
            for number in range(count)
        ],
    )

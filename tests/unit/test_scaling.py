"""The plan on paper of docs/scaling.md follows from the figures and assumptions that stand there."""

import math
import re
from pathlib import Path

import pytest

PAGE = (Path(__file__).parents[2] / "docs" / "scaling.md").read_text()
SECONDS_A_MONTH = 30 * 86_400


def number(pattern: str) -> float:
    """The one number in a place of the page."""
    found = re.search(pattern.replace(" ", r"\s"), PAGE)
    assert found, pattern
    return float(found[1].replace(",", ""))


def plan(billions: int) -> dict[str, float]:
    """By the name of its row."""
    average = billions * 1e9 / SECONDS_A_MONTH
    busiest = 5 * average
    single, in_batches = number(r"([\d,]+) single, [\d,]+ in batches of 100, "), number(r"single, ([\d,]+) in batches")
    stored = number(r"\| a worker \| ([\d,]+) rows")
    redis_us = number(r"single event and ([\d.]+) in batches") + number(r"and ([\d.]+) to drain it")
    event_bytes, least, most = (
        number(r"limit: (\d+) bytes an event"),
        number(r"and (\d+) \(a backlog\)"),
        number(r"to ([\d,]+) \(a trickle\)"),
    )
    web = max(2, math.ceil(busiest / (in_batches / 2)))
    workers = max(2, math.ceil(busiest / (stored / 2)))
    masters = math.ceil(busiest * redis_us / 1e6 / 0.5)
    raw_tb = 3 * billions * event_bytes / 1_000
    nodes = math.ceil(raw_tb / number(r"at most (\d) TB"))
    servers = 2 * nodes + (2 if nodes > 1 else 0)
    cores = web + workers + 2 * masters + 8 * servers
    dollars = number(r"(\d+) US dollars a month for a core") * cores + number(r"([\d.]+) for a GB") * 2_000 * raw_tb
    return {
        "events a second": average,
        "in the busiest second": busiest,
        "web processes, batches of 100": web,
        "web processes, single events": max(2, math.ceil(busiest / (single / 2))),
        "workers": workers,
        "Redis masters": masters,
        "Redis memory, GB": billions * number(r"\(([\d.]+) GB for a billion"),
        "raw events of 90 days, TB": raw_tb,
        "write-ahead log a month, TB, at least": billions * least / 1_000,
        "write-ahead log a month, TB, at most": billions * most / 1_000,
        "PostgreSQL nodes, without standbys": nodes,
        "cores, standbys and Redis replicas included": cores,
        "disk with standbys, TB": 2 * raw_tb,
        "US dollars a month": dollars,
    }


@pytest.mark.parametrize(("column", "billions"), [(1, 1), (2, 10), (3, 100)])
def test_the_plan_follows_from_the_figures(column: int, billions: int):
    expected = plan(billions)
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in PAGE.splitlines() if line.startswith("|")]
    told = {row[0]: float(row[column].replace(",", "")) for row in rows if row[0] in expected}
    assert told == pytest.approx(expected, rel=0.005)

"""A client that gets it wrong: the drain where each event has a version, or a prompt, that nobody has seen before.

Beside it, in the same round, the same events of one version. Each is of a project of its own, so that what is new today
is counted from the beginning.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from random import Random
from typing import Literal, get_args
from uuid import UUID

import psycopg

from app.core.queries.projects import insert_project
from app.core.stream.events import Event
from bench.drain import drained_per_second
from bench.events import draw_buffered_events, prompt_id, version_hash
from bench.memory import MemoryLog
from bench.report import Figure, Target
from bench.schedule import Schedule
from bench.stand import Stand

Mistake = Literal["none", "a new version_hash in each event", "a new prompt_id in each event"]
NONE, NEW_VERSIONS, NEW_PROMPTS = get_args(Mistake)
LEAST_SHARE = 0.5


@dataclass
class WrongClient:
    """Rows a second of one worker, round by round."""

    per_second: dict[Mistake, list[float]] = field(
        default_factory=lambda: {NONE: [], NEW_VERSIONS: [], NEW_PROMPTS: []}
    )


def measure_wrong_client(stand: Stand, schedule: Schedule, memory: MemoryLog) -> WrongClient:
    """One worker must be running. As many events as in a drain of the other measurements."""
    measured = WrongClient()
    random = Random(2)
    for number in range(schedule.peer_rounds):
        for mistake, rates in measured.per_second.items():
            with psycopg.connect(stand.postgres.url) as connection:
                project_id = insert_project(connection, f"bench: {mistake}, {number}")
            events = draw_wrong_events(schedule.drain_events, project_id, random, mistake)
            rates.append(drained_per_second(stand, events, schedule.drain_events, workers=1))
            memory.look()
    return measured


def draw_wrong_events(count: int, project_id: int, random: Random, mistake: Mistake) -> Iterator[Event]:
    """Events of one prompt and one version, but for what is wrong."""
    wrong: dict[Mistake, Callable[[Event], Event]] = {
        NONE: lambda event: event,
        NEW_VERSIONS: lambda event: event._replace(version_hash=random.randbytes(32).hex()),
        NEW_PROMPTS: lambda event: event._replace(prompt_id=UUID(bytes=random.randbytes(16), version=4)),
    }
    for event in draw_buffered_events(count, project_id, random):
        yield wrong[mistake](event._replace(prompt_id=prompt_id(0), version_hash=version_hash(0, 0)))


def wrong_client_figures(measured: WrongClient) -> list[Figure]:
    right = measured.per_second[NONE]
    return [
        Figure(
            f"drain, {mistake}",
            "rows/s",
            measured.per_second[mistake],
            right,
            "one version",
            Target("ratio", "at least", LEAST_SHARE),
        )
        for mistake in (NEW_VERSIONS, NEW_PROMPTS)
    ]

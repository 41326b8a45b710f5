"""The short forms of the crash points and of the faults that operators meet."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from chaos.crash_points import POINTS, run_crash_points
from chaos.disk_full import is_permitted, run_disk_full
from chaos.parts import scenarios_section
from chaos.report import markdown, terminal
from chaos.scenarios import SCENARIOS
from chaos.scenarios.trial import run_scenario
from chaos.servers import Servers, open_servers

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(300)]

BY_NAME = {scenario.name: scenario for scenario in SCENARIOS}
QUICK = (
    "Redis, every 50th reply: drop",
    "Redis full",
    "FLUSHALL",
    "poison, 1 in 1,000",
    "entries of 50 dead workers",
    "ten times overload",
    "a new version or prompt in two of three events",
)
"""The others take longer, or are much like one of these: `make chaos ARGS="scenarios"` runs all of them."""


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    with open_servers(tmp_path_factory.mktemp("servers")) as servers:
        yield servers


@pytest.mark.parametrize("name", QUICK)
def test_the_law_holds_after(name: str, servers: Servers):
    result = run_scenario(servers, BY_NAME[name], seed=1, is_short=True)
    section = scenarios_section([result])
    assert section.held, terminal(section)
    assert name in markdown(section, "today")


@pytest.mark.skipif(not is_permitted(), reason="a mount of one's own is not permitted here")
def test_the_law_holds_after_the_disk_was_full(tmp_path: Path):
    section = scenarios_section([run_disk_full(tmp_path, seed=1, is_short=True)])
    assert section.held, terminal(section)


@pytest.mark.parametrize("half", [0, 1])
def test_the_law_holds_after_a_crash_at_each_step(half: int, tmp_path: Path):
    run = run_crash_points(tmp_path, seed=1, each=1, points=POINTS[half::2])
    assert run.held, run


def test_every_scenario_has_a_name_of_its_own():
    assert len(BY_NAME) == len(SCENARIOS)

"""The short form of `make chaos`: kill -9 of everything under load, and sabotaged builds that must be caught."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from chaos.controls import CONTROLS, Control, run_control
from chaos.killing import SHORT, run_kills
from chaos.parts import controls_section, kills_section
from chaos.report import markdown, terminal
from chaos.servers import Servers, open_servers

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(240)]


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    """For all sabotaged builds, as in `make chaos`: each has a database of its own."""
    with open_servers(tmp_path_factory.mktemp("servers")) as servers:
        yield servers


def test_nothing_is_lost_or_doubled_when_everything_is_killed_under_load(tmp_path: Path):
    run = run_kills(tmp_path, fsync="always", seed=1, extent=SHORT)
    section = kills_section(run)
    assert section.held, terminal(section)
    assert run.kills.total() >= SHORT.kills
    assert "SIGKILL" in markdown(section, "today")


@pytest.mark.parametrize("control", CONTROLS, ids=lambda control: control.name.replace(" ", "-"))
def test_a_sabotaged_build_is_caught(control: Control, servers: Servers):
    outcome = run_control(servers, control, with_baseline=False)
    assert outcome.is_caught, outcome.verdict
    assert "| yes |" in markdown(controls_section([outcome]), "today")

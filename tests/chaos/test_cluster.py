"""The short form of `make chaos ARGS=cluster`: a primary dies, a slot moves and BUFFER_STREAMS changes under load."""

from pathlib import Path

import pytest

from chaos.clusters import SHORT_CLUSTER, run_cluster
from chaos.parts import cluster_section
from chaos.report import terminal

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(240)]


def test_nothing_is_doubled_and_what_a_failover_loses_is_counted(tmp_path: Path):
    run = run_cluster(tmp_path, seed=1, extent=SHORT_CLUSTER)
    section = cluster_section(run)
    assert section.held, terminal(section)
    assert set(run.deeds.values()) == {SHORT_CLUSTER.rounds}
    assert len(run.deeds) == 4

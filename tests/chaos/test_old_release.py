"""The release 0.1.0 that a scenario runs beside this one: out of the history, or not at all."""

import shutil
import subprocess
from pathlib import Path

import pytest

from app.local.children import REPOSITORY
from chaos import old_release
from chaos.parts import scenarios_section
from chaos.report import terminal
from chaos.scenarios.releases import RELEASES
from chaos.scenarios.trial import run_scenario


@pytest.mark.skipif(bool(old_release.hindrance()), reason="the history of this checkout does not go back so far")
def test_it_is_older_than_the_ledger(tmp_path: Path):
    old_release.check_out(tmp_path)
    assert (tmp_path / "worker" / "__main__.py").exists()
    assert (tmp_path / "Procfile").read_text() == (REPOSITORY / "Procfile").read_text()
    assert not (tmp_path / old_release.YOUNGER).exists()


@pytest.mark.parametrize("kind", ["without a history", "with a short one"])
def test_where_the_history_is_missing_the_scenario_says_that_it_was_skipped(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path))
    checkout = tmp_path / "checkout"
    for name in ("CHANGELOG.md", old_release.YOUNGER):
        path = checkout / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text((REPOSITORY / name).read_text())
    if kind == "with a short one":
        if shutil.which("git") is None:
            pytest.skip("git is not installed")
        identity = ["-c", "user.name=test", "-c", "user.email=test@localhost"]
        for arguments in (["init", "-q"], ["add", "."], [*identity, "commit", "-q", "-m", "all"]):
            subprocess.run(["git", *arguments], cwd=checkout, check=True)
    monkeypatch.setattr(old_release, "REPOSITORY", checkout)
    result = run_scenario(None, RELEASES[0], seed=1, is_short=True)  # type: ignore[arg-type]  # it needs no server
    assert result.held
    assert "skipped: " in terminal(scenarios_section([result]))

"""What `make truth` says at the end, and that it exits with 1 where a claim is broken."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from truth.__main__ import main
from truth.experiments import at_most, waits_row
from truth.parts import PARTS
from truth.proof import PAGE, write_page
from truth.shares import Row, Share, table

REPOSITORY = Path(__file__).parents[2]


def test_a_share_comes_with_how_far_it_may_be_off():
    """The interval of 5 in 100 stands in printed tables."""
    assert str(Share(5, 100)) == "5.0 % (1.6 % to 11.3 %)"


def test_many_runs_must_keep_the_claim_and_few_ones_may_be_unlucky():
    assert not Share(60, 1_000).is_at_most(0.05)
    assert Share(5, 60).is_at_most(0.05)
    assert not Share(20, 60).is_at_most(0.05)
    assert not Share(890, 1_000).is_at_least(0.9)
    assert Share(52, 60).is_at_least(0.9)


def test_a_broken_claim_shows():
    row = at_most("equal versions", [True] * 100 + [False] * 900)
    assert row.holds is False
    assert "| equal versions | 10.0 %" in table([row])
    assert "**no**" in table([row])


def test_where_nothing_is_claimed_nothing_breaks():
    assert at_most("equal versions", [True] * 1_000, is_claimed=False).holds is None


def test_waits_within_a_factor_of_two_count():
    assert waits_row(0.8, "a wait", [[1.9, 0.6]] * 500).holds is True
    row = waits_row(0.8, "a wait", [[1.9, 2.1], []] * 600)
    assert row.holds is False
    assert "100 % at 30 %, 0 % at 50 % of the way" in row.measured


def test_the_page_keeps_its_frame(tmp_path: Path):
    page = tmp_path / "statistics.md"
    page.write_text(PAGE.read_text())
    for part in PARTS:
        write_page(part, [Row(f"a row of {part}", "1 %", "at most 5 %", holds=True)], "once", page)
    assert "| a row of versions | 1 % | at most 5 % | yes |" in page.read_text()
    assert "| a row of prompts | 1 % | at most 5 % | yes |" in page.read_text()
    assert frame(page) == frame(PAGE)
    page.write_text("")
    with pytest.raises(ValueError, match="lacks its marks"):
        write_page("versions", [], "once", page)


def frame(page: Path) -> list[str]:
    return re.split(r"<!-- (?:end of )?results of \w+ -->", page.read_text())[::2]


@pytest.mark.parametrize("part", PARTS)
def test_the_page_has_a_row_for_each_experiment(part: str):
    page = PAGE.read_text()
    assert [each.name for each in PARTS[part].experiments if f"| {each.name} |" not in page] == []


def test_a_part_runs_alone_and_says_how_often():
    done = run_truth("prompts", "--runs", "1", "--only", "2,000 events a day, 30 % up")
    assert "a prompt with 2,000 events a day, 30 % up: it is named" in done.stdout
    assert "equal versions" not in done.stdout
    assert PARTS["prompts"].sizes(1_000) == "1,200 prompt-months and 200 changed prompts of each row"


@pytest.mark.parametrize(
    "arguments", [["--runs", "0"], ["--only", "nothing like it"], ["--proof", "--only", "φ"], ["hopes"]]
)
def test_it_refuses_what_makes_no_sense(
    arguments: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setattr(sys, "argv", ["truth", *arguments])
    with pytest.raises(SystemExit) as refused:
        main()
    assert refused.value.code == 2
    assert "error:" in capsys.readouterr().err


def run_truth(*arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "truth", *arguments], cwd=REPOSITORY, capture_output=True, text=True, check=False
    )

"""What `make truth` says at the end, and that it exits with 1 where a claim is broken."""

import subprocess
import sys
from pathlib import Path

import pytest

from truth.experiments import EXPERIMENTS, at_most, waits_row
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
    write_page([Row("a row", "1 %", "at most 5 %", holds=True)], "once", page)
    assert "| a row | 1 % | at most 5 % | yes |" in page.read_text()
    assert page.read_text().partition("<!-- results -->")[0] == PAGE.read_text().partition("<!-- results -->")[0]
    page.write_text("")
    with pytest.raises(ValueError, match="lacks its marks"):
        write_page([], "once", page)


def test_the_page_has_a_row_for_each_experiment():
    page = PAGE.read_text()
    assert [each.name for each in EXPERIMENTS if f"| {each.name} |" not in page] == []


@pytest.mark.parametrize("arguments", [["--runs", "0"], ["--only", "nothing like it"], ["--proof", "--only", "φ"]])
def test_it_refuses_what_makes_no_sense(arguments: list[str]):
    done = subprocess.run(
        [sys.executable, "-m", "truth", *arguments], cwd=REPOSITORY, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert "error:" in done.stderr

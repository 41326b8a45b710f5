from pathlib import Path

import pytest

from chaos.proof import BEGIN, END, PROOF, run_line, write_proof
from chaos.report import Section

PAGE = "# Proof\n\n<!-- results -->\n\nNone yet.\n\n<!-- end of results -->\n\nThe end.\n"


@pytest.fixture
def page(tmp_path: Path) -> Path:
    path = tmp_path / "proof.md"
    path.write_text(PAGE)
    return path


def test_each_part_replaces_its_own_results_and_leaves_those_of_others(page: Path) -> None:
    write_proof([Section("Kills", True, ["5 kills"]), Section("Controls", True)], ["2 cores"], "Monday", page)
    write_proof([Section("Kills", True, ["9 kills"]), Section("Soak", False)], ["4 cores"], "Tuesday", page)
    text = page.read_text()
    assert [line for line in text.splitlines() if line.startswith("### ")] == ["### Kills", "### Controls", "### Soak"]
    assert "- 9 kills" in text
    assert "5 kills" not in text
    assert text.count("- Monday") == 1
    assert text.count("- Tuesday") == 2
    assert "4 cores" in text
    assert "2 cores" not in text
    assert "None yet" not in text
    assert text.endswith("<!-- end of results -->\n\nThe end.\n")


def test_a_broken_law_is_said(page: Path) -> None:
    write_proof([Section("Soak", False)], [], "Monday", page)
    assert "**The law was broken.**" in page.read_text()


def test_a_page_without_its_marks_is_left_alone(page: Path) -> None:
    page.write_text("# Proof\n")
    with pytest.raises(ValueError, match="lacks its marks"):
        write_proof([], [], "Monday", page)
    assert page.read_text() == "# Proof\n"


def test_the_page_of_the_repository_has_its_marks() -> None:
    text = PROOF.read_text()
    assert (text.count(BEGIN), text.count(END)) == (1, 1)


def test_a_part_says_what_was_asked_for() -> None:
    assert run_line(["kills", "--seed", "7"], 7).startswith('`make chaos ARGS="kills --seed 7"`')

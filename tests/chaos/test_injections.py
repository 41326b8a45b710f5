"""What `make chaos` brings into processes from outside: it works where it is meant to, and says so where it can't."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from app.local.children import REPOSITORY
from app.local.errors import CannotRun
from chaos.crash_points import POINTS
from chaos.injections import CrashPoint, crashes_at, expect_applied, write_plan

ENCODE = "app.core.stream.events:fingerprint"
PASS_THRICE = "from app.core.stream.events import fingerprint; [fingerprint([b'x']) for _ in range(3)]"


def run_python(code: str, variables: dict[str, str]) -> int:
    environment = {"PATH": os.environ["PATH"], **variables}
    return subprocess.run(
        [sys.executable, "-c", code], cwd=REPOSITORY, env=environment, capture_output=True, check=False
    ).returncode


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_process_is_killed_at_its_crash_point_as_often_as_asked_for(when, tmp_path: Path):
    point = CrashPoint("somewhere", ENCODE, when, limit=2)
    variables = write_plan(tmp_path, crashes=[point])
    assert [run_python(PASS_THRICE, variables) for _ in range(3)] == [-9, -9, 0]
    assert crashes_at(tmp_path, point) == 2
    expect_applied(tmp_path, point.name)


@pytest.mark.parametrize("target", ["app.core.stream.events:gone", "app.core.stream.events:Event.gone"])
def test_a_crash_point_that_has_gone_ends_the_process_and_is_named(target: str, tmp_path: Path):
    variables = write_plan(tmp_path, crashes=[CrashPoint("somewhere", target, "before")])
    assert run_python(PASS_THRICE, variables) == 1
    with pytest.raises(CannotRun, match="the code has changed, mend the injection: somewhere"):
        expect_applied(tmp_path, "somewhere")


def test_a_crash_point_that_nobody_imported_is_named(tmp_path: Path):
    variables = write_plan(tmp_path, crashes=[CrashPoint("somewhere", "app.core.stream.buffer:EventBuffer", "before")])
    assert run_python(PASS_THRICE, variables) == 0
    with pytest.raises(CannotRun, match="never applied"):
        expect_applied(tmp_path, "somewhere")


def test_a_sabotage_whose_script_has_changed_is_named(tmp_path: Path):
    variables = write_plan(tmp_path, sabotages=["stream trimmed by length"])
    code = (
        "import sys, sitecustomize, types\n"
        "finder = sys.meta_path[0]\n"
        "name, _, patch = finder._patches[0]\n"
        "finder._apply(name, patch, types.ModuleType('buffer'))\n"
    )
    assert run_python(code, variables) == 1
    with pytest.raises(CannotRun, match="no script that appends"):
        expect_applied(tmp_path, "stream trimmed by length")


def test_every_crash_point_can_be_brought_in_today(tmp_path: Path):
    variables = write_plan(tmp_path, crashes=POINTS)
    modules = sorted({point.target.partition(":")[0] for point in POINTS})
    assert run_python(f"import {', '.join(modules)}", variables) == 0
    for point in POINTS:
        expect_applied(tmp_path, point.name)

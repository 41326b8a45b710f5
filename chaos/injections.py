"""What is done to processes from outside: crashes at named points, and sabotage (see injection/sitecustomize.py)."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from app.local.errors import CannotRun

FOLDER = Path(__file__).parent / "injection"
PLAN_NAME = "injection.json"


@dataclass(frozen=True)
class CrashPoint:
    """kill -9 of the process itself before or after a function, at one of its first `spread` passings.

    `target`: module:function or module:Class.function. After `limit` crashes of all processes together it stops.
    """

    name: str
    target: str
    when: Literal["before", "after"]
    limit: int = 1
    spread: int = 1


def write_plan(folder: Path, *, crashes: Sequence[CrashPoint] = (), sabotages: Sequence[str] = ()) -> dict[str, str]:
    """For processes that start from now on; returns the variables that make them read it."""
    plan = {"crashes": [asdict(crash) for crash in crashes], "sabotages": list(sabotages)}
    path = folder / PLAN_NAME
    fresh = path.with_suffix(".new")
    fresh.write_text(json.dumps(plan))
    fresh.rename(path)
    return {"PYTHONPATH": str(FOLDER), "CHAOS_INJECTION": str(path)}


def crashes_at(folder: Path, point: CrashPoint) -> int:
    path = folder / f"crashes-{point.name}"
    return path.stat().st_size if path.exists() else 0


def expect_applied(folder: Path, name: str) -> None:
    """CannotRun where a crash point or a sabotage was not brought in: then its run says nothing."""
    failed = folder / "failed"
    if failed.exists():
        raise CannotRun(f"the code has changed, mend the injection: {failed.read_text().splitlines()[0]}")
    if not (folder / f"applied-{name}").exists():
        raise CannotRun(f"{name} was never applied: its module was not imported")

"""The parts of `make chaos`, by the names that its arguments have for them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from chaos.controls import CONTROLS, Outcome, run_controls
from chaos.detector import said
from chaos.killing import LONG, SHORT, KillRun, run_kills
from chaos.report import Section, law_rows
from chaos.servers import Fsync


@dataclass(frozen=True)
class Plan:
    """What was asked for; 0 stands for what the form of the run brings itself. `results`: where artifacts are kept."""

    folder: Path
    results: Path
    seed: int
    is_short: bool
    events: int = 0
    kills: int = 0


def kills_always(plan: Plan) -> list[Section]:
    return [_kills(plan, "always")]


def kills_everysec(plan: Plan) -> list[Section]:
    return [_kills(plan, "everysec")]


def controls(plan: Plan) -> list[Section]:
    """Held where each sabotaged build is caught."""
    return [controls_section(run_controls(plan.folder / "controls"))]


PARTS: dict[str, Callable[[Plan], Sequence[Section]]] = {
    "kills": kills_always,
    "kills-everysec": kills_everysec,
    "controls": controls,
}


def _kills(plan: Plan, fsync: Fsync) -> Section:
    form = SHORT if plan.is_short else LONG
    extent = replace(form, events=plan.events or form.events, kills=plan.kills or form.kills)
    folder = plan.folder / f"kills-{fsync}"
    return kills_section(run_kills(folder, fsync=fsync, seed=plan.seed, extent=extent, results=plan.results))


def kills_section(run: KillRun) -> Section:
    """With `everysec` Redis may lose what it had not written yet; it must be known how much."""
    by_kind = ", ".join(f"{kind} {count}" for kind, count in run.kills.items())
    facts = [
        f"{run.verdict.figures['acked']:,} events acknowledged and {run.kills.total():,} kills in {run.seconds:,.0f} s",
        f"killed with SIGKILL: {by_kind}",
        f"the buffer was empty {run.recovery_seconds:.0f} s after the last kill (at most 60)",
        said(run.reported_loss),
    ]
    return Section(f"kill -9 with appendfsync {run.fsync}", run.held, facts, law_rows(run.verdict), run.artifacts)


def controls_section(outcomes: Sequence[Outcome]) -> Section:
    rows = [["sabotaged build", "caught", "by", "lost", "doubled", "of acked"]]
    for outcome in outcomes:
        figures = outcome.verdict.figures
        caught = "yes" if outcome.is_caught else "NO"
        numbers = [f"{figures[name]:,}" for name in ("lost", "doubled", "acked")]
        rows.append([outcome.control.name, caught, ", ".join(outcome.verdict.broken), *numbers])
    held = len(outcomes) == len(CONTROLS) and all(outcome.is_caught for outcome in outcomes)
    return Section("Negative controls", held, rows=rows)

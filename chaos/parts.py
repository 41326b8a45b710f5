"""The parts of `make chaos`, by the names that its arguments have for them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from chaos.clusters import LONG_CLUSTER, SHORT_CLUSTER, ClusterRun, run_cluster
from chaos.controls import CONTROLS, Outcome, run_controls
from chaos.crash_points import run_crash_points
from chaos.disk_full import is_permitted, run_disk_full
from chaos.killing import LONG, SHORT, KillRun, run_kills
from chaos.report import Section, law_rows
from chaos.scenarios import SCENARIOS
from chaos.scenarios.trial import Result, run_scenario
from chaos.servers import Fsync, open_servers
from chaos.soak import DELETED, Soak, run_soak


@dataclass(frozen=True)
class Plan:
    """What was asked for; 0 stands for what the form of the run brings itself. `results`: where artifacts are kept."""

    folder: Path
    results: Path
    seed: int
    is_short: bool
    events: int = 0
    kills: int = 0
    only: Sequence[str] = ()


def kills_always(plan: Plan) -> list[Section]:
    return [_kills(plan, "always")]


def kills_everysec(plan: Plan) -> list[Section]:
    return [_kills(plan, "everysec")]


def controls(plan: Plan) -> list[Section]:
    """Held where each sabotaged build is caught."""
    return [controls_section(run_controls(plan.folder / "controls"))]


def crashes(plan: Plan) -> list[Section]:
    run = run_crash_points(plan.folder / "crashes", seed=plan.seed, each=1 if plan.is_short else 100)
    facts = [f"{count} crashes {name}" for name, count in run.crashes.items()]
    return [Section("A crash at each step", run.held, facts, law_rows(run.verdict))]


def scenarios(plan: Plan) -> list[Section]:
    """Those whose names hold one of the words asked for; without any: all."""
    chosen = [each for each in SCENARIOS if not plan.only or any(word in each.name for word in plan.only)]
    with open_servers(plan.folder / "scenarios") as servers:
        results = [_tell(run_scenario(servers, each, seed=plan.seed, is_short=plan.is_short)) for each in chosen]
    if not plan.only and is_permitted():
        results.append(_tell(run_disk_full(plan.folder / "disk-full", seed=plan.seed, is_short=plan.is_short)))
    return [scenarios_section(results)]


def _tell(result: Result) -> Result:
    held = "as it must be" if result.held else f"NO: {'; '.join(result.complaints) or 'the law'}"
    print(f"  {result.seconds:4.0f} s: {result.scenario.name}: {result.skipped or held}", flush=True)
    return result


def soak(plan: Plan) -> list[Section]:
    return [soak_section(run_soak(plan.folder / "soak", seed=plan.seed, minutes=1 if plan.is_short else 60))]


def cluster(plan: Plan) -> list[Section]:
    form = SHORT_CLUSTER if plan.is_short else LONG_CLUSTER
    extent = replace(form, events=plan.events or form.events)
    return [cluster_section(run_cluster(plan.folder / "cluster", seed=plan.seed, extent=extent))]


PARTS: dict[str, Callable[[Plan], Sequence[Section]]] = {
    "kills": kills_always,
    "kills-everysec": kills_everysec,
    "controls": controls,
    "crashes": crashes,
    "scenarios": scenarios,
    "soak": soak,
    "cluster": cluster,
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
        str(run.detector),
        f"buffer empty {run.recovery_seconds:.0f} s after the last kill (at most {run.extent.recovery_seconds:.0f})",
    ]
    return Section(f"kill -9 with appendfsync {run.fsync}", run.held, facts, law_rows(run.verdict), run.artifacts)


def soak_section(run: Soak) -> Section:
    by_kind = ", ".join(f"{kind} {count}" for kind, count in sorted(run.kills.items()))
    acked = run.verdict.figures["acked"]
    facts = [
        f"{acked:,} events acknowledged in {run.seconds / 60:.0f} minutes, {run.deploys} rolling deploys",
        f"killed with SIGKILL: {by_kind}",
        f"before anything was deleted: {run.calm}",
        f"{DELETED} entries deleted behind its back, which the table therefore calls broken: {run.alarmed}",
    ]
    return Section("A soak with deploys and kills", run.held, facts, law_rows(run.verdict))


def cluster_section(run: ClusterRun) -> Section:
    """Redis may lose what a replica had not heard of yet; it must be known how much."""
    deeds = ", ".join(f"{count} {deed}" for deed, count in run.deeds.items())
    facts = [
        f"{run.verdict.figures['acked']:,} events acknowledged in {run.seconds:,.0f} s",
        f"meanwhile: {deeds}",
        f"while a primary was away no {run.longest_silence_seconds:.1f} s went by without an acknowledged event",
        str(run.detector),
    ]
    return Section("A Redis Cluster that fails over and moves slots", run.held, facts, law_rows(run.verdict))


def controls_section(outcomes: Sequence[Outcome]) -> Section:
    rows = [["sabotaged build", "caught", "by", "lost", "doubled", "of acked", "the same without sabotage"]]
    for outcome in outcomes:
        figures = outcome.verdict.figures
        caught = "yes" if outcome.is_caught else "NO"
        numbers = [f"{figures[name]:,}" for name in ("lost", "doubled", "acked")]
        baseline = "" if outcome.baseline is None else "holds" if outcome.baseline.holds else "BROKEN"
        rows.append([outcome.control.name, caught, ", ".join(outcome.verdict.broken), *numbers, baseline])
    held = len(outcomes) == len(CONTROLS) and all(outcome.is_caught for outcome in outcomes)
    return Section("Negative controls", held, rows=rows)


def scenarios_section(results: Sequence[Result]) -> Section:
    rows = [["scenario", "acked", "unknown", "refused", "lost", "doubled", "seconds", "as it must be", "besides"]]
    for result in results:
        figures = result.verdict.figures if result.verdict else {}
        names = ("acked", "unknown", "refused", "lost", "doubled")
        told = [str(result.detector)] if result.scenario.loses else [result.skipped] if result.skipped else []
        besides = "; ".join(
            [*result.facts, *told, *result.complaints, *(result.verdict.broken if result.verdict else [])]
        )
        numbers = [f"{figures[name]:,}" if name in figures else "?" for name in names]
        held = "skipped" if result.skipped else "yes" if result.held else "NO"
        rows.append([result.scenario.name, *numbers, f"{result.seconds:.0f}", held, besides])
    return Section("Scenarios", all(result.held for result in results), rows=rows)

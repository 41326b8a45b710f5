"""What a part of `make chaos` has shown, on the terminal and in docs/proof.md."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from chaos.artifacts import Artifact
from chaos.verdict import Verdict

LAW = {
    "acked": "events acknowledged with a 204, each counted once",
    "stored": "rows in PostgreSQL",
    "lost": "acknowledged, and neither stored nor set aside",
    "doubled": "stored more than once",
    "stored though refused": "refused, and stored all the same",
    "stored though never sent": "stored, and in no ledger",
    "altered": "stored with another latency or score than was sent",
    "stored and set aside": "stored, and a dead letter as well",
    "still buffered": "in Redis after things had settled",
    "rollups that differ": "rows that are not what a recount of the raw events gives",
    "histograms that differ": "the same for latency histograms",
    "unknown": "no answer, or a 503: may be stored or not",
    "unknown and stored": "of these, stored",
    "refused": "surely not stored",
    "set aside": "of the clients' events, dead letters",
    "planted": "entries without a client, which can never be stored",
    "planted and set aside": "of these, dead letters",
    "accepted": "acknowledgements, and what was stored without one",
    "deduplicated": "acknowledgements of repeats",
}


@dataclass(frozen=True)
class Section:
    """One part. `held`: everything was as it must be; `facts` are lines, `rows` a table with headings first."""

    title: str
    held: bool
    facts: Sequence[str] = ()
    rows: Sequence[Sequence[str]] = ()
    artifacts: Sequence[Artifact] = field(default_factory=list)


def law_rows(verdict: Verdict) -> list[list[str]]:
    """The law with numbers, and the answers that clients got."""
    rows = [["figure", "number", "", "meaning"]]
    answers = {name: number for name, number in verdict.figures.items() if name.startswith("answers")}
    for name, meaning in LAW.items():
        rows.append([name, f"{verdict.figures[name]:,}", "BROKEN" if name in verdict.broken else "", meaning])
    for name, number in answers.items():
        status = name.removeprefix("answers ")
        rows.append(
            [name, f"{number:,}", "", "events without an answer" if status == "0" else f"events answered {status}"]
        )
    return rows


def terminal(section: Section) -> str:
    """Plain text, columns side by side."""
    lines = [
        f"{section.title}: {'as it must be' if section.held else 'BROKEN'}",
        *(f"  {fact}" for fact in section.facts),
    ]
    if section.rows:
        widths = [max(len(row[column]) for row in section.rows) for column in range(len(section.rows[0]))]
        for row in section.rows:
            cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=True)]
            lines.append(("  " + "  ".join(cells)).rstrip())
    return "\n".join(lines)


def markdown(section: Section, run: str) -> str:
    """The same for docs/proof.md. `run`: when it was, and what of."""
    parts = [f"### {section.title}", "" if section.held else "**The law was broken.**\n"]
    parts += [f"- {fact}" for fact in (run, *section.facts)]
    if section.rows:
        head, *rows = section.rows
        parts += ["", _row(head), _row(["---"] * len(head)), *map(_row, rows)]
    if section.artifacts:
        parts += ["", _row(["file", "bytes", "SHA-256"]), _row(["---"] * 3)]
        parts += [_row([f"`{each.name}`", f"{each.size_bytes:,}", f"`{each.sha256}`"]) for each in section.artifacts]
    return "\n".join(parts) + "\n"


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"

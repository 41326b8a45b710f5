"""`make chaos`. Exits with 1 where the law was broken, or where a sabotaged build went unnoticed."""

import argparse
import signal
import sys
import time
from pathlib import Path

from app.local.errors import CannotRun
from app.local.own_folder import own_folder
from app.local.running import DATA_DIR
from chaos.parts import PARTS, Plan
from chaos.proof import PROOF, facts, run_line, write_proof
from chaos.report import Section, terminal


def main() -> int:
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: sys.exit(1))
    options = _options()
    began_at = time.monotonic()
    try:
        with own_folder("chaos") as folder:
            plan = Plan(
                folder, options.results, options.seed, options.short, options.events, options.kills, options.only
            )
            sections = [section for name in options.parts for section in _run(name, plan)]
    except CannotRun as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("Stopped.", file=sys.stderr)
        return 1
    seconds = time.monotonic() - began_at
    if options.proof:
        write_proof(sections, facts(), run_line(sys.argv[1:], options.seed))
        print(f"Written to {PROOF}")
    print(f"Took {seconds / 60:.1f} minutes. Ledgers and dumps are in {options.results}")
    return 0 if all(section.held for section in sections) else 1


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make chaos ARGS=…", description="Prove that a 204 is never a lie.")
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(PARTS)}; without any: all")
    parser.add_argument("--seed", type=int, default=1, help="of kills, pauses, sizes and everything else drawn")
    parser.add_argument("--short", action="store_true", help="a minute for each part, to try it out")
    parser.add_argument("--events", type=int, default=0, help="acknowledged events of a kill run, at least")
    parser.add_argument("--kills", type=int, default=0, help="kills of a kill run, at least")
    parser.add_argument(
        "--only", nargs="+", default=(), metavar="WORD", help="scenarios with such words in their names"
    )
    parser.add_argument("--proof", action="store_true", help="write the results into docs/proof.md")
    parser.add_argument("--results", type=Path, default=DATA_DIR / "chaos-results", help="where ledgers and dumps go")
    options = parser.parse_args()
    options.parts = options.parts or list(PARTS)
    unknown = set(options.parts) - PARTS.keys()
    if unknown:
        parser.error(f"no such part: {', '.join(sorted(unknown))}")
    return options


def _run(name: str, plan: Plan) -> list[Section]:
    print(f"{time.strftime('%H:%M:%S')}  {name}", flush=True)
    sections = list(PARTS[name](plan))
    for section in sections:
        print(f"{terminal(section)}\n", flush=True)
    return sections


if __name__ == "__main__":
    sys.exit(main())

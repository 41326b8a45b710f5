"""`make truth`. Exits with 1 where a claim is broken."""

import argparse
import os
import sys
import time
from collections.abc import Iterator, Sequence
from functools import partial
from multiprocessing import get_context
from multiprocessing.pool import Pool

from truth.parts import PARTS, one_run, runs_of
from truth.proof import PAGE, run_line, write_page
from truth.shares import Row, cells, table

RUNS, SHORT_RUNS = 1_000, 60


def main() -> int:
    options = _options()
    holds = True
    try:
        with get_context("spawn").Pool(os.cpu_count()) as pool:
            for part in options.parts:
                began_at = time.monotonic()
                rows = list(_rows(pool, part, options.runs, options.seed, options.only))
                minutes = (time.monotonic() - began_at) / 60
                print(f"\n{table(rows)}\n\nTook {minutes:.1f} minutes.\n")
                holds &= all(row.holds is not False for row in rows)
                if options.proof:
                    sizes = PARTS[part].sizes(options.runs)
                    write_page(part, rows, run_line(sys.argv[1:], sizes, options.seed, minutes))
                    print(f"Written to {PAGE}")
    except KeyboardInterrupt:
        print("Stopped.", file=sys.stderr)
        return 1
    return 0 if holds else 1


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make truth ARGS=…", description="Prove that what is said of versions holds.")
    # not `choices`: argparse holds the default against them
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"{' or '.join(PARTS)}; both without")
    parser.add_argument("--short", action="store_true", help=f"{SHORT_RUNS} runs of each, to try it out")
    parser.add_argument("--runs", type=int, help=f"so many of each instead of {RUNS:,}")
    parser.add_argument("--seed", type=int, default=1, help="of everything that is drawn")
    parser.add_argument("--only", nargs="+", default=(), metavar="WORD", help="what has such words in its name")
    parser.add_argument("--proof", action="store_true", help="write the tables into docs/statistics.md")
    options = parser.parse_args()
    if options.runs is None:
        options.runs = SHORT_RUNS if options.short else RUNS
    if unknown := set(options.parts) - set(PARTS):
        parser.error(f"there is no part {', '.join(sorted(unknown))}")
    options.parts = options.parts or list(PARTS)
    if options.proof and options.only:
        parser.error("--proof takes whole tables")
    if options.runs < 1:
        parser.error("--runs must be at least 1")
    options.parts = [part for part in options.parts if _meant(part, options.only)]
    if not options.parts:
        parser.error("nothing has such a word in its name")
    return options


def _meant(part: str, words: Sequence[str]) -> list[int]:
    """The places of those experiments of the part."""
    return [
        place
        for place, experiment in enumerate(PARTS[part].experiments)
        if not words or any(word in experiment.name for word in words)
    ]


def _rows(pool: Pool, part: str, runs: int, seed: int, only: Sequence[str]) -> Iterator[Row]:
    for place in _meant(part, only):
        experiment = PARTS[part].experiments[place]
        began_at = time.monotonic()
        results = pool.map(partial(one_run, part, place, seed), range(runs_of(experiment, runs)), chunksize=4)
        row = experiment.row(experiment.name, results)
        print(
            f"{time.strftime('%H:%M:%S')}  {' · '.join(cells(row))}  ({time.monotonic() - began_at:.0f} s)", flush=True
        )
        yield row


if __name__ == "__main__":
    sys.exit(main())

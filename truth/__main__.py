"""`make truth`. Exits with 1 where a claim is broken."""

import argparse
import os
import sys
import time
from collections.abc import Iterator
from functools import partial
from multiprocessing import get_context
from multiprocessing.pool import Pool

from truth.experiments import EXPERIMENTS, one_run
from truth.proof import PAGE, run_line, write_page
from truth.shares import Row, cells, table

RUNS, SHORT_RUNS = 1_000, 60


def main() -> int:
    options = _options()
    began_at = time.monotonic()
    try:
        with get_context("spawn").Pool(os.cpu_count()) as pool:
            rows = list(_rows(pool, options.runs, options.seed, options.only))
    except KeyboardInterrupt:
        print("Stopped.", file=sys.stderr)
        return 1
    minutes = (time.monotonic() - began_at) / 60
    print(f"\n{table(rows)}\n\nTook {minutes:.1f} minutes.")
    if options.proof:
        write_page(rows, run_line(sys.argv[1:], options.runs, options.seed, minutes))
        print(f"Written to {PAGE}")
    return 1 if any(row.holds is False for row in rows) else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make truth ARGS=…", description="Prove that what is said of versions holds.")
    parser.add_argument("--short", action="store_true", help=f"{SHORT_RUNS} runs of each, to try it out")
    parser.add_argument("--runs", type=int, help=f"so many of each instead of {RUNS:,}")
    parser.add_argument("--seed", type=int, default=1, help="of everything that is drawn")
    parser.add_argument("--only", nargs="+", default=(), metavar="WORD", help="what has such words in its name")
    parser.add_argument("--proof", action="store_true", help="write the table into docs/statistics.md")
    options = parser.parse_args()
    if options.runs is None:
        options.runs = SHORT_RUNS if options.short else RUNS
    if options.proof and options.only:
        parser.error("--proof takes the whole table")
    if options.runs < 1:
        parser.error("--runs must be at least 1")
    if not any(_is_meant(each.name, options.only) for each in EXPERIMENTS):
        parser.error("nothing has such a word in its name")
    return options


def _is_meant(name: str, words: tuple[str, ...]) -> bool:
    return not words or any(word in name for word in words)


def _rows(pool: Pool, runs: int, seed: int, only: tuple[str, ...]) -> Iterator[Row]:
    for place, experiment in enumerate(EXPERIMENTS):
        if not _is_meant(experiment.name, only):
            continue
        began_at = time.monotonic()
        numbers = range(max(1, round(runs * experiment.runs)))
        results = pool.map(partial(one_run, place, seed), numbers, chunksize=4)
        row = experiment.row(experiment.name, results)
        print(
            f"{time.strftime('%H:%M:%S')}  {' · '.join(cells(row))}  ({time.monotonic() - began_at:.0f} s)", flush=True
        )
        yield row


if __name__ == "__main__":
    sys.exit(main())

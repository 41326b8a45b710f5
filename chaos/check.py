"""The checker: does what is stored agree with what clients were told? It stands alone, to be read and trusted.

    python chaos/check.py --ledger FOLDER --database-url postgresql://… [--buffered N] [--known-lost N] [--json]

Exits with 1 where the law is broken. Each client has a file in the folder, with a line before and after each request:

    S first count          about to send the events numbered first … first + count - 1; written before they are sent
    A first count          answered 204; D instead of A: by a replay (Idempotent-Replayed)
    R first count status   refused: surely not stored; U instead of R: nobody knows (status 0: no answer at all)
    X count                so many entries that no client sent were buffered: each of them must be set aside

An S without an answer is unknown. The number of an event is its cost; latency and score follow from it (see ALTERED).
"""

import argparse
import json
import sys
from collections import Counter
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from decimal import getcontext
from math import isclose
from pathlib import Path
from typing import Any

import psycopg

ACKED, UNKNOWN, REFUSED, STORED, ASIDE, SENT = 1, 2, 4, 8, 16, 32
WITH = {added: bytes(flags | added for flags in range(256)) for added in (ACKED, UNKNOWN, REFUSED, STORED, ASIDE, SENT)}
MEANING = {"A": ACKED, "D": ACKED, "R": REFUSED, "U": UNKNOWN, "S": SENT}
MINUTES_KEPT = timedelta(days=7)  # older minute rollups are deleted by design; hours and days stay
MUST_BE_ZERO = ["doubled", "stored though refused", "stored though never sent", "altered", "stored and set aside"]
MUST_BE_ZERO += ["still buffered", "rollups that differ", "histograms that differ"]
ALTERED = """SELECT count(*) FROM events
WHERE latency_ms IS DISTINCT FROM CASE WHEN cost_usd % 10 <> 0 THEN cost_usd % 997 / 4 + 0.25 END
   OR score IS DISTINCT FROM CASE WHEN cost_usd % 2 = 0 THEN (cost_usd % 201 - 100) / 100 END"""
LOGS = "sum({0}), sum({0} * {0})".format("ln((CASE WHEN latency_ms < 0.001 THEN 0.001 ELSE latency_ms END)::float8)")
SUMS = "count({0}), coalesce(sum({0}), 0), coalesce(sum({0} * {0}), 0), min({0}), max({0})"
RECOUNT = f"""
SELECT events.project_id, prompt_versions.prompt_key, version_key, date_trunc('minute', occurred_at, 'UTC'),
       CASE WHEN latency_ms < 1e-9 THEN -2048 ELSE ceil(ln(latency_ms::float8) / ln(1.02::float8))::int END,
       count(*), {SUMS.format("latency_ms")}, {SUMS.format("cost_usd")}, {SUMS.format("score")}, {LOGS}
FROM events JOIN prompt_versions ON prompt_versions.id = version_key GROUP BY 1, 2, 3, 4, 5"""
MERGE: list[Callable[..., Any]] = [sum, *3 * [sum, sum, sum, min, max], sum, sum]  # type: ignore[list-item]
KEPT = [f"{of}_{kind}" for of in ("latency", "cost", "score") for kind in ("count", "sum", "sum_squares", "min", "max")]
KEPT = ["events", *KEPT, "latency_log_sum", "latency_log_sum_squares"]
MERGED = ", ".join(f"{merge.__name__}({column})" for merge, column in zip(MERGE, KEPT, strict=True))
ROLLUPS = f"""
SELECT project_id, prompt_key, version_key, bucket_start, grain, string_agg(latency_histogram, ''), {MERGED} FROM (
    SELECT project_id, prompt_key, version_key, bucket_start, grain, latency_histogram, {", ".join(KEPT)} FROM rollups
    UNION ALL SELECT project_id, prompt_key * least(level, 1), version_key * (level / 2),
                     date_trunc(grain, bucket_start, 'UTC'), grain, latency_histogram, {", ".join(KEPT)}
    FROM rollup_additions, unnest('{{minute,hour,day}}'::text[]) AS grain, generate_series(0, 2) AS level
) AS both_tables GROUP BY 1, 2, 3, 4, 5"""
Rollups = dict[tuple[Any, ...], tuple[list[Any], Counter[int]]]


def read_ledger(folder: Path) -> tuple[bytearray, Counter[str]]:
    """A byte of flags for each number, and how many events had which answer."""
    states, answers = bytearray(1), Counter[str]()
    for path in sorted(folder.glob("*.ledger")):
        waiting: tuple[int, int] | None = None
        for line in path.read_text().splitlines():
            word, *rest = line.split()
            first, count, status = (*map(int, rest), 0, 0)[:3]
            if word == "X":
                answers["planted"] += first
            elif word == "S":
                flag(states, waiting, UNKNOWN)
                waiting = (first, count)
                states.extend(bytes(max(0, first + count - len(states))))
                flag(states, waiting, SENT)
            else:
                assert waiting == (first, count), f"{path}: an answer without its request: {line}"
                flag(states, waiting, MEANING[word])
                answers[{"A": "204", "D": "204 repeated"}.get(word, str(status))] += count
                waiting = None
        flag(states, waiting, UNKNOWN)
    return states, answers


def flag(states: bytearray, numbers: tuple[int, int] | None, added: int) -> None:
    """Give all of these numbers one more flag."""
    if numbers:
        states[numbers[0] : sum(numbers)] = states[numbers[0] : sum(numbers)].translate(WITH[added])


def mark(states: bytearray, numbers: Iterable[int | None], added: int) -> tuple[int, int]:
    """Flag what was found; returns how many carried the flag already, and how many nobody sent."""
    again = strange = 0
    for number in numbers:
        if number is not None and 0 < number < len(states) and states[number] & SENT:
            again += bool(states[number] & added)
            states[number] |= added
        else:
            strange += 1
    return again, strange


def number_of(text: str | bytes | None) -> int | None:
    """The cost of a stored event; in a dead letter it is the seventh field of a JSON array, as text."""
    try:
        told = json.loads(text or "")
        return int(told[6]) if isinstance(told, list) else told if isinstance(told, int) else None
    except (ValueError, TypeError, LookupError):
        return None


def decode(histogram: bytes) -> Counter[int]:
    """Entries of 32 bits, little-endian: 12 of bucket + 2048, one that tells a run of three small counts, counts."""
    counts = Counter[int]()
    for place in range(0, len(histogram), 4):
        entry = int.from_bytes(histogram[place : place + 4], "little")
        run = (entry & 63, entry >> 6 & 63, entry >> 12 & 63) if entry >> 19 & 1 else (entry & 0x7FFFF,)
        for offset, count in enumerate(run):
            counts[(entry >> 20) - 2048 + offset] += count
    return +counts


def add(total: list[Any], more: list[Any]) -> list[Any]:
    """Events; count, sum, sum of squares, minimum and maximum of each measure; both sums of logarithms of latencies."""
    both = [[value for value in pair if value is not None] for pair in zip(total, more, strict=False)]
    return [merge(values) if values else None for merge, values in zip(MERGE, both, strict=False)] or more


def recount(connection: psycopg.Connection[Any]) -> Rollups:
    """What every rollup row must say, by its key: RECOUNT has a row for each bucket of a version's minute."""
    minutes, rows = Rollups(), Rollups()
    for project, prompt, version, minute, bucket, *values in connection.execute(RECOUNT):
        total, histogram = minutes.get((project, prompt, version, minute), ([], Counter[int]()))
        histogram.update({bucket: values[1]} if bucket is not None else {})
        minutes[project, prompt, version, minute] = (add(total, values), histogram)
    for (project, prompt, version, minute), (values, histogram) in minutes.items():
        starts = minute, minute.replace(minute=0), minute.replace(minute=0, hour=0)
        for start, grain in zip(starts, ("minute", "hour", "day"), strict=True):
            for level in ((prompt, version), (prompt, 0), (0, 0)):
                total, buckets = rows.get((project, *level, start, grain), ([], Counter[int]()))
                rows[project, *level, start, grain] = (add(total, values), buckets + histogram)
    return rows


def compare_rollups(connection: psycopg.Connection[Any]) -> tuple[int, int]:
    """How many rows, with what is not folded into them yet, differ from a recount; and how many of their histograms."""
    expected, oldest, different, histograms = recount(connection), datetime.now(UTC) - MINUTES_KEPT, 0, 0
    for row in connection.execute(ROLLUPS):
        values, latencies = expected.pop(tuple(row[:5]), ([], Counter[int]()))
        if row[4] != "minute" or row[3] >= oldest:
            logs = [isclose(a or 0, b, rel_tol=1e-9, abs_tol=1e-6) for a, b in zip(values[-2:], row[-2:], strict=False)]
            different += values[:-2] != list(row[6:-2]) or not all(logs)
            histograms += decode(row[5]) != latencies
    return different + sum(key[4] != "minute" or key[3] >= oldest for key in expected), histograms


def check(ledger: Path, database_url: str, *, buffered: int, known_lost: int) -> tuple[dict[str, int], list[str]]:
    """All figures, and the names of those that break the law."""
    getcontext().prec = 1_000
    states, answers = read_ledger(ledger)
    with psycopg.connect(database_url, options="-c timezone=UTC") as connection:
        with connection.cursor().copy("COPY (SELECT cost_usd FROM events) TO STDOUT") as copy:
            doubled, never_sent = mark(states, (number_of(text) for (text,) in copy.rows()), STORED)
        letters = connection.execute("SELECT payload FROM dead_letters").fetchall()
        _, foreign = mark(states, (number_of(payload) for (payload,) in letters), ASIDE)
        altered = connection.execute(ALTERED).fetchall()[0][0]
        different, histograms = compare_rollups(connection)
    tally = Counter(states)

    def count(has: int, without: int = 0, any_of: int = 255) -> int:
        return sum(n for flags, n in tally.items() if flags & has == has and not flags & without and flags & any_of)

    figures = {f"answers {answer}": n for answer, n in sorted(answers.items()) if answer != "planted"}
    figures |= {"sent": count(SENT), "acked": count(ACKED), "unknown": count(UNKNOWN, ACKED)}
    figures |= {"unknown and stored": count(UNKNOWN | STORED, ACKED), "refused": count(REFUSED, ACKED | UNKNOWN)}
    figures |= {"stored": count(STORED) + doubled + never_sent, "set aside": count(ASIDE)}
    figures |= {"planted": answers["planted"], "planted and set aside": foreign, "lost": count(ACKED, STORED | ASIDE)}
    values = (doubled, count(REFUSED | STORED, ACKED | UNKNOWN), never_sent, altered, count(STORED | ASIDE))
    figures |= dict(zip(MUST_BE_ZERO, (*values, buffered, different, histograms), strict=True))
    answered = answers["204"] + answers["204 repeated"]
    figures |= {"accepted": answered + count(UNKNOWN, ACKED, STORED | ASIDE), "deduplicated": answered - count(ACKED)}
    found = figures["stored"] + figures["deduplicated"] + figures["set aside"] + buffered + known_lost
    must = {"accepted": found, "lost": known_lost, "planted": foreign, **dict.fromkeys(MUST_BE_ZERO, 0)}
    return figures, [name for name, value in must.items() if figures[name] != value]


def main() -> int:
    parser = argparse.ArgumentParser(description="Does what is stored agree with what clients were told?")
    parser.add_argument("--ledger", type=Path, required=True)
    parser.add_argument("--database-url", required=True)
    parser.add_argument("--buffered", type=int, default=0, help="XLEN pa:events, after things have settled")
    parser.add_argument("--known-lost", type=int, default=0, help="so many were reported lost, and must be")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    figures, broken = check(given.ledger, given.database_url, buffered=given.buffered, known_lost=given.known_lost)
    lines = (f"{name:26}{value:>14,}{'   BROKEN' * (name in broken)}\n" for name, value in figures.items())
    sys.stdout.write(json.dumps({"figures": figures, "broken": broken}) if given.json else "".join(lines))
    return int(bool(broken))


if __name__ == "__main__":
    sys.exit(main())

"""What a reader must know to judge the figures."""

from bench.distributed import BATCH, BATCHES, HISTORY_EVENTS
from bench.drain import ROWS_PER_COPY
from bench.freshness import PAUSE_SECONDS, PROBE_SECONDS
from bench.load_generator import PACED_CONNECTIONS
from bench.schedule import Schedule


def notes(schedule: Schedule) -> str:
    """A list in Markdown."""
    probe_ms = round(PROBE_SECONDS * 1_000)
    return f"""\
- Each run under load lasts {schedule.seconds} s, in {schedule.rounds} rounds;
  those of the peers {schedule.peer_seconds} s, in {schedule.peer_rounds} rounds.
  In a round all are measured one after another, and in the next one another comes first.
  Redis is emptied before each run; it writes its append-only file, synced every second.
- Every request carries an API key and an Idempotency-Key of its own; ours checks both, counts the key's rate limit,
  sends its headers, and validates strictly. No worker runs while events a second are measured.
- Bare Flask is one view that answers 204, on gunicorn with gevent and two processes; it gets the same requests.
  The plain way is Flask-Limiter's decorator with headers, a stock marshmallow schema and one XADD.
- CPU is user and system time of all processes of a kind, those included that they started: gunicorn's master and
  processes, Redis with what it forks, all of PostgreSQL. It does not depend on who else uses the machine as much as
  throughput does, so changes are judged by it.
- Flask, one trip to Redis, is a view that sends one INCR, on the same gunicorn as bare Flask.
- Half rate: wrk with {PACED_CONNECTIONS} connections, each of which waits a random, exponentially distributed time
  before each request: a closed loop, but with so many connections that requests come about as a Poisson process.
  wrk corrects its percentiles for coordinated omission.
- Drain: {schedule.drain_events:,} events (100 prompts of 5 versions; ids of one hour, as Idempotency-Keys give them)
  wait in the buffer, then the worker is woken; the time ends when the buffer is empty, with all stored that they add to
  the rollups. The fold follows; what it writes to the write-ahead log is counted.
  Raw COPY: psycopg's binary COPY of the same rows, {ROWS_PER_COPY:,} a commit, into a table without an index.
  Steady trickle: a billion events a month, evenly, for {schedule.steady_seconds} s after a checkpoint, after which
  PostgreSQL logs each page whole once: the longer between two checkpoints, the less it is.
- A client that gets it wrong: as the drain, but of one prompt, in {schedule.peer_rounds} rounds; each event has a
  version_hash, or a prompt_id, of its own, or none has. Each is of a new project, so the first 1,000 versions or
  10,000 prompts are registered, and the others are counted under (other).
- Freshness: {schedule.lone_events} lone events, {PAUSE_SECONDS} s apart; under load one probe every {probe_ms} ms
  beside wrk at half rate, the 99th percentile of each round.
- Reads: one client, one question at a time, each with totals, percentiles and a series by day. The rollups are those
  of so many events spread over 30 days, drawn by bench/history.py and written by the worker's code; raw events are
  left out, because no question reads them. Beside a steady trickle: the answers of its second half of a minute.
- Citus: {BATCHES * BATCH:,} events in batches of {BATCH:,} through the worker's code, without Redis, and their fold;
  reads as above, but by the code behind the read API, of {HISTORY_EVENTS:,} events. All servers share the cores of this
  machine: so this shows what distributing costs where it gains nothing, and not what more machines bring.
- Memory is resident memory of the largest process of its kind; that of web before anybody reads, and after."""

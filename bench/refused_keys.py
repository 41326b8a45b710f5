"""How long refused API keys take, by what is wrong with them: `.venv/bin/python -m bench.refused_keys`.

Nobody should learn from the time of a 401 whether a key was ever good. A wrong checksum is refused sooner, and may be:
everybody can work it out without asking. Each key is sent once, in random order, each from an address of its own,
because an address is limited to 20 failures a minute.
"""

import random
import statistics
import sys
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from itertools import count

import httpx
import psycopg

from app.core.contract import ANALYTICS_PATH, EXAMPLE_EVENT
from app.core.database import Connection
from app.core.keys.api_key import mint_key
from app.core.keys.lifecycle import NewKey, create_key, revoke_key
from app.core.queries.audit_log import COMMAND_LINE
from app.core.queries.projects import insert_project
from app.local.errors import CannotRun
from app.local.ports import free_port
from app.local.procfile import read_procfile, shell_command
from bench.stand import Stand, open_stand

KEYS_OF_A_KIND = 1_000
WARM_UP = 200


def main() -> int:
    try:
        with open_stand() as stand:
            seconds = measure(stand)
    except CannotRun as error:
        print(error, file=sys.stderr)
        return 1
    unknown = statistics.median(seconds["unknown"])
    print(f"Microseconds to the 401, {KEYS_OF_A_KIND} keys of each kind")
    print(f"{'key':16}{'median':>12}{'p10':>10}{'p90':>10}{'to unknown':>14}")
    for kind, found in seconds.items():
        deciles = statistics.quantiles(found, n=10)
        median = statistics.median(found)
        numbers = f"{median * 1e6:12.0f}{deciles[0] * 1e6:10.0f}{deciles[-1] * 1e6:10.0f}"
        print(f"{kind:16}{numbers}{(median - unknown) * 1e6:+14.0f}")
    return 0


def measure(stand: Stand) -> dict[str, list[float]]:
    """The seconds from each request to its answer, by kind of key."""
    keys = _keys(stand)
    in_turn = [(kind, key) for kind, of_a_kind in keys.items() for key in of_a_kind]
    random.shuffle(in_turn)
    seconds: dict[str, list[float]] = {kind: [] for kind in keys}
    addresses = count(1)
    with httpx.Client(base_url=_start_web(stand)) as client:
        for _ in range(WARM_UP):
            _refused_after(client, mint_key(), next(addresses))
        for kind, key in in_turn:
            seconds[kind].append(_refused_after(client, key, next(addresses)))
    return seconds


def _refused_after(client: httpx.Client, key: str, address: int) -> float:
    forwarded_for = f"10.{address >> 16 & 255}.{address >> 8 & 255}.{address & 255}"
    headers = {"Authorization": f"Bearer {key}", "X-Forwarded-For": forwarded_for}
    began_at = time.perf_counter()
    answer = client.post(ANALYTICS_PATH, json=EXAMPLE_EVENT, headers=headers)
    seconds = time.perf_counter() - began_at
    if answer.status_code != HTTPStatus.UNAUTHORIZED:
        raise CannotRun(f"a key that should be refused was answered with {answer.status_code}")
    return seconds


def _keys(stand: Stand) -> Mapping[str, list[str]]:
    now = datetime.now(UTC)
    with psycopg.connect(stand.postgres.url, autocommit=True) as connection:
        project_id = insert_project(connection, "bench")

        def made(expires_at: datetime | None) -> NewKey:
            return create_key(
                connection,
                stand.redis,
                project_id=project_id,
                name="bench",
                scopes=["ingest"],
                rate_limit=None,
                expires_at=expires_at,
                by=COMMAND_LINE,
                now=now,
            )

        return {
            "unknown": _many(mint_key),
            "wrong checksum": _many(lambda: mint_key()[:-1] + "_"),
            "revoked": _many(lambda: _revoked(connection, stand, made(None))),
            "expired": _many(lambda: made(now - timedelta(seconds=1)).key),
        }


def _many(make: Callable[[], str]) -> list[str]:
    return [make() for _ in range(KEYS_OF_A_KIND)]


def _revoked(connection: Connection, stand: Stand, new: NewKey) -> str:
    revoke_key(connection, stand.redis, new.key_id, COMMAND_LINE)
    return new.key


def _start_web(stand: Stand) -> str:
    port = free_port()
    web = stand.start(
        "web",
        shell_command(read_procfile()["web"]),
        port=port,
        ready_path="/healthz",
        GUNICORN_CMD_ARGS=f"--bind=127.0.0.1:{port}",
        TRUSTED_PROXY_COUNT="1",
        WEB_CONCURRENCY="1",
    )
    return web.url


if __name__ == "__main__":
    sys.exit(main())

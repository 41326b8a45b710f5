"""The load, a process of its own: `python -m chaos.load`. Clients that post numbered events until SIGTERM comes."""

import argparse
import http.client
import itertools
import json
import signal
import threading
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import datetime
from http import HTTPStatus
from pathlib import Path
from random import Random

from app.core.contract import ANALYTICS_PATH, BATCH_PATH
from chaos.events import body_of
from chaos.ledger import Ledger

BLOCK = 1_000
"""A client takes so many numbers at once; a batch never goes beyond the block it began in."""
BATCH_SIZES = (2, 10, 100, 500, 1_000, 1_000)
ANSWER_SECONDS = 10.0
NEVER_SENT_AGAIN = 0.0
"""The `repeated_share` of runs that lose data: what was lost and sent again is stored, and told as lost."""
SHORTEST_WAIT_SECONDS, LONGEST_WAIT_SECONDS = 0.05, 1.0
REFUSALS = {HTTPStatus.BAD_REQUEST, HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN, HTTPStatus.REQUEST_ENTITY_TOO_LARGE}
REFUSALS |= {HTTPStatus.TOO_MANY_REQUESTS}


@dataclass(frozen=True)
class Orders:
    """What a load does. `batch_events_per_second` is shared by its batch clients; 0: as fast as they are answered.

    `single_pause_seconds`: between two events of a single client. `keyed_share`: of sends, those with an
    Idempotency-Key, which are repeated until they are acknowledged. `repeated_share`: of these, those that are sent
    once more after that, as clients do that lost the answer. `first_block`: where its numbers begin. `is_wrong`: with
    versions and prompts without end, as `event_json` says.
    """

    url: str
    api_key: str
    ledger: str
    midnight: str
    seed: int
    single_clients: int = 4
    batch_clients: int = 2
    batch_events_per_second: int = 0
    single_pause_seconds: float = 0.0
    keyed_share: float = 0.6
    repeated_share: float = 0.05
    first_block: int = 0
    largest_batch: int = 1_000
    is_wrong: bool = False

    def to_json(self) -> str:
        return json.dumps(asdict(self))


class Client:
    """Sends one request after another, and writes into its ledger what it sends and what it is told."""

    def __init__(self, orders: Orders, name: str, blocks: Iterator[int], stop: threading.Event) -> None:
        self._orders = orders
        self._address = orders.url.removeprefix("http://")
        self._midnight = datetime.fromisoformat(orders.midnight)
        self._ledger = Ledger(Path(orders.ledger) / f"{name}.ledger")
        self._random = Random(f"{orders.seed}-{name}")
        self._blocks = blocks
        self._next, self._block_end = 0, 0
        self._stop = stop
        self._connection = http.client.HTTPConnection(self._address, timeout=ANSWER_SECONDS)

    def run_singles(self) -> None:
        """Single events until told to stop."""
        while not self._stop.is_set():
            self._deliver(1)
            if self._orders.single_pause_seconds:
                self._stop.wait(self._orders.single_pause_seconds)
        self._ledger.close()

    def run_batches(self) -> None:
        """Batches of random sizes at the pace ordered."""
        while not self._stop.is_set():
            count = self._deliver(min(self._random.choice(BATCH_SIZES), self._orders.largest_batch))
            if self._orders.batch_events_per_second:
                self._stop.wait(count * self._orders.batch_clients / self._orders.batch_events_per_second)
        self._ledger.close()

    def _deliver(self, count: int) -> int:
        """Send new events; with a key until they are acknowledged. Returns how many they were."""
        first, count = self._take(count)
        if self._random.random() >= self._orders.keyed_share:
            if not self._send(first, count, None):
                self._stop.wait(SHORTEST_WAIT_SECONDS)
            return count
        key, wait_seconds = f"{self._orders.seed}-{first}", SHORTEST_WAIT_SECONDS
        while not self._send(first, count, key):
            if self._stop.wait(wait_seconds * self._random.uniform(0.5, 1)):
                return count
            wait_seconds = min(2 * wait_seconds, LONGEST_WAIT_SECONDS)
        if self._random.random() < self._orders.repeated_share:
            self._send(first, count, key)
        return count

    def _take(self, count: int) -> tuple[int, int]:
        if self._next == self._block_end:
            self._next = next(self._blocks) * BLOCK + 1
            self._block_end = self._next + BLOCK
        first, count = self._next, min(count, self._block_end - self._next)
        self._next += count
        return first, count

    def _send(self, first: int, count: int, key: str | None) -> bool:
        """Whether it was acknowledged."""
        path = ANALYTICS_PATH if count == 1 else BATCH_PATH
        headers = {"Authorization": f"Bearer {self._orders.api_key}", "Content-Type": "application/json"}
        if key is not None:
            headers["Idempotency-Key"] = key
        body = body_of(first, count, self._midnight, is_wrong=self._orders.is_wrong)
        self._ledger.intend(first, count)
        try:
            self._connection.request("POST", path, body, headers)
            answer = self._connection.getresponse()
            answer.read()
        except (OSError, http.client.HTTPException):
            self._connection.close()
            self._ledger.unknown(first, count)
            return False
        if answer.status == HTTPStatus.NO_CONTENT:
            self._ledger.acknowledged(first, count, repeated=answer.getheader("Idempotent-Replayed") is not None)
            return True
        write = self._ledger.refused if answer.status in REFUSALS else self._ledger.unknown
        write(first, count, answer.status)
        return False


def run(orders: Orders, stop: threading.Event) -> None:
    """Until `stop` is set, and each client has had its last answer."""
    blocks = itertools.count(orders.first_block)
    kinds = [("single", Client.run_singles, orders.single_clients), ("batch", Client.run_batches, orders.batch_clients)]
    threads = [
        threading.Thread(
            target=work, args=[Client(orders, f"{orders.first_block}-{kind}-{number}", blocks, stop)], daemon=True
        )
        for kind, work, count in kinds
        for number in range(count)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m chaos.load", description=__doc__)
    parser.add_argument("orders", type=Path, help="a file with the orders, as JSON")
    orders = Orders(**json.loads(parser.parse_args().orders.read_text()))
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    run(orders, stop)


if __name__ == "__main__":
    main()

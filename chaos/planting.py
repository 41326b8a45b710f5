"""Entries that no client sent, put into the buffer while a load runs."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import redis

from chaos.service import Service

Plant = Callable[[redis.Redis, int], int]
"""Puts entries into the buffer after so many before; returns how many there are then."""


@contextmanager
def planting(service: Service, plant: Plant, *, pause_seconds: float) -> Iterator[list[int]]:
    """Again and again while the block runs; then the ledger says how many there are, and so does what is yielded."""
    ended = threading.Event()
    planted = [0]

    def work() -> None:
        with service.redis_client() as client:
            while not ended.wait(pause_seconds):
                planted[0] = plant(client, planted[0])

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield planted
    finally:
        ended.set()
        thread.join()
        service.plant(planted[0])

"""Servers that hang: they keep their connections and say nothing."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress

import psutil


@contextmanager
def frozen(pid: int) -> Iterator[None]:
    """The server and its backends neither answer nor go away."""
    server = psutil.Process(pid)
    server.suspend()
    backends = server.children(recursive=True)
    for backend in backends:
        with suppress(psutil.NoSuchProcess):  # its client had just closed the connection
            backend.suspend()
    try:
        yield
    finally:
        for process in (server, *backends):
            with suppress(psutil.NoSuchProcess):
                process.resume()

"""A small TCP proxy before Redis or PostgreSQL, which delays, cuts or silences what the server says."""

import asyncio
import ssl
import threading
from collections import Counter
from dataclasses import dataclass
from typing import Literal, Self

from app.local.ports import free_port

CHUNK_BYTES = 65_536


@dataclass(frozen=True)
class Fault:
    """Happens to every `every`-th reply of the server, counted over all connections.

    `drop`: this connection hears nothing any more, as when a machine on the way dies. `cut`: both ends are reset.
    """

    kind: Literal["drop", "delay", "cut"]
    every: int
    seconds: float = 0.0


class Proxy:
    """Listens on a port of its own until it is closed. A server that does not listen is a connection reset.

    With `tls` clients speak TLS to it; what passes on to the server is plain.
    """

    def __init__(self, target_port: int, *, tls: ssl.SSLContext | None = None) -> None:
        self.port = free_port()
        self.faults: Counter[str] = Counter()
        self._target_port = target_port
        self._tls = tls
        self._fault: Fault | None = None
        self._replies = 0
        self._loop = asyncio.new_event_loop()
        self._open = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._started = threading.Event()
        self._thread.start()
        self._started.wait()

    def bring(self, fault: Fault | None) -> None:
        """From now on; None: no more."""
        self._fault = fault

    def black_hole(self, *, is_open: bool) -> None:
        """While it is open, nothing passes in either direction; what was sent meanwhile arrives afterwards."""
        self._loop.call_soon_threadsafe(self._open.clear if is_open else self._open.set)

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._open.set()
        server = self._loop.run_until_complete(
            asyncio.start_server(self._connect, "127.0.0.1", self.port, ssl=self._tls)
        )
        self._started.set()
        self._loop.run_forever()
        server.close()
        for task in asyncio.all_tasks(self._loop):
            task.cancel()
        self._loop.run_until_complete(asyncio.sleep(0))
        self._loop.close()

    async def _connect(self, client: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
        try:
            server, to_server = await asyncio.open_connection("127.0.0.1", self._target_port)
        except OSError:
            to_client.transport.abort()
            return
        pumps = asyncio.gather(
            self._requests(client, to_server), self._replies_of(server, to_client), return_exceptions=True
        )
        try:
            await pumps
        except asyncio.CancelledError:
            # the proxy is closed: nobody waits for this task
            pumps.cancel()
        finally:
            to_client.transport.abort()
            to_server.transport.abort()

    async def _requests(self, client: asyncio.StreamReader, to_server: asyncio.StreamWriter) -> None:
        try:
            while data := await client.read(CHUNK_BYTES):
                await self._open.wait()
                to_server.write(data)
                await to_server.drain()
        finally:
            to_server.transport.abort()

    async def _replies_of(self, server: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
        try:
            while data := await server.read(CHUNK_BYTES):
                await self._open.wait()
                if not await self._suffers(server, to_client):
                    to_client.write(data)
                    await to_client.drain()
        finally:
            to_client.transport.abort()

    async def _suffers(self, server: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> bool:
        """Whether the reply is lost."""
        fault = self._fault
        self._replies += 1
        if fault is None or self._replies % fault.every:
            return False
        self.faults[fault.kind] += 1
        if fault.kind == "delay":
            await asyncio.sleep(fault.seconds)
            return False
        if fault.kind == "cut":
            to_client.transport.abort()
            return True
        while await server.read(CHUNK_BYTES):
            pass
        return True

"""A Redis client whose greenlets share one connection: commands that wait at the same time travel together.

This is the way of rueidis, ioredis and Lettuce. A round trip of its own costs a request a send, a receive and two
switches, 155 µs of CPU time; here one send and one receive serve all requests in flight, and Redis appends and fsyncs
once for them.
"""

import time
from collections import deque
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import gevent
import hiredis
import redis
from gevent.event import AsyncResult, Event
from redis.commands.core import Script
from redis.connection import HiredisRespSerializer

IDLE_SECONDS = 0.02
EVALSHA = "EVALSHA"


class SharedConnectionRedis(redis.Redis):
    """Sends single commands over one shared connection; pipelines and pub/sub take their own from the pool.

    For processes that gevent has patched: its socket must not block the loop. A connection that is lost, or silent for
    the socket timeout, fails all that is in flight, once, with that error. Nothing is ever sent again; the next command
    connects anew.
    """

    def __init__(self, connection_pool: redis.ConnectionPool) -> None:
        super().__init__(connection_pool=connection_pool)
        self._waiting: list[_Command] = []
        self._in_flight: deque[AsyncResult] = deque()
        self._has_waiting = Event()
        self._has_in_flight = Event()
        self._shared: Any = None
        self._answered_at = 0.0
        self._answers = 0
        self._greenlets: list[gevent.Greenlet] = []
        # to connect, to send, and to wait for those before: each takes the socket's timeout at most
        self._longest_wait_seconds = 3 * float(connection_pool.connection_kwargs["socket_timeout"])

    def execute_command(self, *args: Any, **options: Any) -> Any:
        """Send a command together with whatever else is waiting, and wait for its own answer."""
        if not self._greenlets:
            # Not before the first command, which comes after the fork.
            loops = (self._send_forever, self._receive_forever, self._watch_forever)
            self._greenlets = [gevent.spawn(loop) for loop in loops]
        result = AsyncResult()
        self._waiting.append(_Command(args, result))
        self._has_waiting.set()
        return self.parse_response(_Answer(result.get()), args[0], **options)  # type: ignore[no-untyped-call]

    def register_script(self, script: Any) -> Script:
        """A script whose calls take less on their way; EventBuffer has one."""
        return FastScript(self, script)

    def _send_forever(self) -> None:
        while True:
            self._has_waiting.wait()
            self._has_waiting.clear()
            commands, self._waiting = self._waiting, []
            try:
                if self._shared is None or (self._was_idle() and _was_lost(self._shared)):
                    self._shared = self._connect()
                connection = self._shared
                packed = connection.pack_commands([command.args for command in commands])
            except Exception as error:  # noqa: BLE001 - whatever it is, those who wait must hear of it
                _fail([command.result for command in commands], error)
                continue
            self._in_flight.extend(command.result for command in commands)
            self._has_in_flight.set()
            try:
                connection.send_packed_command(packed, check_health=False)
            except Exception as error:  # noqa: BLE001 - the same
                self._lose(connection, error)

    def _receive_forever(self) -> None:
        while True:
            self._has_in_flight.wait()
            self._has_in_flight.clear()
            connection = self._shared
            while connection is self._shared and self._in_flight:
                try:
                    answer = connection.read_response(disconnect_on_error=False)
                except redis.ResponseError as refusal:
                    # a connection that ends with a refusal (that of a replica) is lost at the next answer
                    answer = refusal
                except Exception as error:  # noqa: BLE001 - the same
                    self._lose(connection, error)
                    break
                self._in_flight.popleft().set(answer)
                self._answers += 1
            self._answered_at = time.monotonic()

    def _watch_forever(self) -> None:
        """Fail those who wait where nobody was answered between two looks, whatever the other two loops hang on.

        A deadline for each command would cost it 6 µs.
        """
        answers, had_waiting = 0, False
        while True:
            gevent.sleep(self._longest_wait_seconds)
            has_waiting = bool(self._waiting or self._in_flight)
            if has_waiting and had_waiting and self._answers == answers:
                error = redis.TimeoutError("no answer in time")
                commands, self._waiting = self._waiting, []
                _fail([command.result for command in commands], error)
                self._lose(self._shared, error)
            answers, had_waiting = self._answers, has_waiting

    def _was_idle(self) -> bool:
        """Whether Redis may have been lost and be back since the last answer; no Redis restarts faster."""
        return not self._in_flight and time.monotonic() - self._answered_at > IDLE_SECONDS

    def _connect(self) -> Any:
        """A connection that is never used again once it is lost: a reader may still be at the old one."""
        pool = self.connection_pool
        connection = pool.connection_class(**pool.connection_kwargs, command_packer=ScriptPacker())
        # a name that is looked up knows no timeout
        with gevent.Timeout(self._longest_wait_seconds, redis.TimeoutError("no connection in time")):
            connection.connect()
        return connection

    def _lose(self, connection: Any, error: Exception) -> None:
        """Give up a connection, unless that has been done already; its answers could no longer be told apart."""
        if connection is not self._shared:
            return
        self._shared = None
        lost, self._in_flight = self._in_flight, deque()
        _fail(lost, error)
        if connection is not None:
            connection.disconnect()


class ScriptPacker(HiredisRespSerializer):
    """Halves what packing a flight takes: redis-py's own looks at each of its hundred arguments for what none is."""

    def pack(self, *args: Any) -> list[bytes]:
        """As redis-py's."""
        if args[0] == EVALSHA:
            return [hiredis.pack_command(args)]
        packed: list[bytes] = super().pack(*args)
        return packed


class FastScript(Script):
    """Saves 2 µs a call, which redis-py's own spends on clients and pipelines that these scripts never meet."""

    def __call__(self, keys: Sequence[Any] | None = None, args: Iterable[Any] | None = None, client: Any = None) -> Any:
        """As redis-py's; `client` must be the one that registered it."""
        keys, args = keys or (), args or ()
        try:
            own: Any = self.registered_client
            return own.execute_command(EVALSHA, self.sha, len(keys), *keys, *args)
        except redis.exceptions.NoScriptError:
            return super().__call__(keys, args, client)


class _Command(NamedTuple):
    args: tuple[Any, ...]
    result: AsyncResult


class _Answer:
    """What `parse_response` reads from, in the place of a connection."""

    def __init__(self, answer: Any) -> None:
        self._answer = answer

    def read_response(self, **_: Any) -> Any:
        if isinstance(self._answer, redis.ResponseError):
            raise self._answer
        return self._answer


def _was_lost(connection: Any) -> bool:
    """Whether a connection on which nothing is in flight was closed meanwhile: it can be read, but for its end."""
    try:
        lost = connection.can_read(timeout=0)
    except (redis.RedisError, OSError):
        lost = True
    if lost:
        connection.disconnect()
    return bool(lost)


def _fail(results: Any, error: Exception) -> None:
    for result in results:
        result.set_exception(error)

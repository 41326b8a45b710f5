"""One POST to somebody else's server, who may be slow, hostile or in the wrong place.

Every connection goes to an IP address that was checked: the name is resolved once, all that it resolves to is checked,
and what was checked is connected to, with the name for TLS and in `Host`. No redirect is followed, no proxy of the
environment is used, and each wait on the socket ends at the deadline of the whole.
"""

import ipaddress
import socket
import ssl
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from http import HTTPStatus

import httpcore

from app.core import background
from app.core.news.addresses import AddressRules, is_public

STEP_SECONDS = 5.0
"""To connect, to send, and to wait for each part of the answer."""
DEADLINE_SECONDS = 10.0
LARGEST_ANSWER_BYTES = 4_096
LONGEST_EXCERPT = 500

_FAILURES = (httpcore.TimeoutException, httpcore.NetworkError, httpcore.ProtocolError)

Resolve = Callable[[str, int], Sequence[str]]


@dataclass(frozen=True, slots=True)
class Answer:
    """The status, None where there was no answer, and the beginning of the answer or what went wrong.

    `retry_after` is that header of the answer, as it came.
    """

    status: int | None
    text: str
    retry_after: str = ""

    @property
    def is_good(self) -> bool:
        return self.status is not None and HTTPStatus(200) <= self.status < HTTPStatus(300)

    @property
    def is_gone(self) -> bool:
        """Whether the receiver wants nothing more, as Standard Webhooks has it."""
        return self.status == HTTPStatus.GONE


class AddressRefused(Exception):
    """The name resolves to an address that is not of the internet."""


def resolve(host: str, port: int) -> list[str]:
    """The IP addresses of a name, as the system knows them. Raises OSError."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except UnicodeError as error:
        raise socket.gaierror(socket.EAI_NONAME, "it cannot be the name of a host") from error
    return list(dict.fromkeys(str(address[0]) for _, _, _, _, address in found))


def post(
    address: str,
    body: bytes,
    headers: dict[str, str],
    *,
    rules: AddressRules,
    tls: ssl.SSLContext,
    resolve: Resolve = resolve,
    sockets: httpcore.NetworkBackend | None = None,
    deadline_seconds: float = DEADLINE_SECONDS,
) -> Answer:
    """Never raises for anything that the other side does. `sockets` connects to IP addresses; else the system does."""
    if not rules.allow_http and not address.startswith("https://"):
        return Answer(None, "Not sent: only https:// is allowed.")
    backend = _CheckedBackend(
        rules, resolve, sockets or httpcore.SyncBackend(), deadline=time.monotonic() + deadline_seconds
    )
    timeouts = {"timeout": dict.fromkeys(("connect", "read", "write", "pool"), STEP_SECONDS)}
    try:
        with (
            httpcore.ConnectionPool(ssl_context=tls, network_backend=backend, http2=False) as pool,
            pool.stream("POST", address, headers=list(headers.items()), content=body, extensions=timeouts) as response,
        ):
            return _told(response, _beginning(response.iter_stream()))
    except (*_FAILURES, AddressRefused, OSError) as error:
        return Answer(None, _excerpt(_words_of(error)))


def _told(response: httpcore.Response, beginning: bytes) -> Answer:
    status = response.status
    retry_after = next((value for name, value in response.headers if name.lower() == b"retry-after"), b"")
    text = beginning.decode(errors="replace").replace("\0", "\N{REPLACEMENT CHARACTER}").strip()
    if HTTPStatus.MULTIPLE_CHOICES <= status < HTTPStatus.BAD_REQUEST:
        text = f"The receiver sends us elsewhere, and redirects are not followed. {text}"
    return Answer(status, _excerpt(text), retry_after.decode(errors="replace"))


def _beginning(chunks: Iterable[bytes]) -> bytes:
    """What comes in time. The status has told what counts, and whoever sends more than enough is hung up on."""
    beginning = b""
    with suppress(*_FAILURES):
        for chunk in chunks:
            beginning += chunk
            if len(beginning) >= LARGEST_ANSWER_BYTES:
                break
    return beginning[:LARGEST_ANSWER_BYTES]


def _words_of(error: Exception) -> str:
    if isinstance(error, httpcore.TimeoutException):
        return "No answer in time."
    if isinstance(error, AddressRefused):
        return str(error)
    if isinstance(error, socket.gaierror):
        return f"The name could not be resolved: {error.strerror}"
    return f"It could not be sent: {error}"


def _excerpt(text: str) -> str:
    return text if len(text) <= LONGEST_EXCERPT else f"{text[: LONGEST_EXCERPT - 1]}…"


class _CheckedBackend(httpcore.NetworkBackend):
    """Connects to what it has checked, and gives out streams that end at the deadline."""

    def __init__(
        self, rules: AddressRules, resolve: Resolve, sockets: httpcore.NetworkBackend, *, deadline: float
    ) -> None:
        """`deadline` is by time.monotonic."""
        self._rules = rules
        self._resolve = resolve
        self._sockets = sockets
        self._deadline = deadline

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        addresses = self._checked_addresses(host, port)
        for number, address in enumerate(addresses, 1):
            left = _time_left(self._deadline, timeout)
            try:
                stream = self._sockets.connect_tcp(address, port, left, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout):
                if number == len(addresses):
                    raise
            else:
                return _BoundedStream(stream, self._deadline)
        raise httpcore.ConnectError("the name resolves to no address")

    def connect_unix_socket(
        self,
        path: str,
        timeout: float | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        del path, timeout, socket_options
        raise httpcore.ConnectError("not to a socket of this machine")

    def _checked_addresses(self, host: str, port: int) -> Sequence[str]:
        """Raises AddressRefused where one of them is not of the internet, OSError where there is none."""
        addresses = self._resolved(host, port)
        if not self._rules.allow_private and not all(map(is_public, addresses)):
            # which one it is the admins of a project, who read this, need not know of a network that is not theirs
            raise AddressRefused(f"Not sent: {host} leads elsewhere, and only addresses on the internet are allowed.")
        return addresses

    def _resolved(self, host: str, port: int) -> Sequence[str]:
        try:
            return [str(ipaddress.ip_address(host))]
        except ValueError:
            pass
        # resolving knows no timeout: so in a thread, for which nobody waits longer than they want to
        looking = background.begin(lambda: self._resolve(host, port))
        try:
            return looking.result(_time_left(self._deadline, STEP_SECONDS))
        except TimeoutError as error:
            raise httpcore.ConnectTimeout("the name was not resolved in time") from error


class _BoundedStream(httpcore.NetworkStream):
    """A stream of which no wait goes beyond the deadline."""

    def __init__(self, stream: httpcore.NetworkStream, deadline: float) -> None:
        self._stream = stream
        self._deadline = deadline

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, _time_left(self._deadline, timeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, _time_left(self._deadline, timeout))

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        left = _time_left(self._deadline, timeout)
        return _BoundedStream(self._stream.start_tls(ssl_context, server_hostname, left), self._deadline)

    def get_extra_info(self, info: str) -> object:
        return self._stream.get_extra_info(info)


def _time_left(deadline: float, timeout: float | None) -> float:
    """Raises httpcore.ReadTimeout when there is none."""
    left = deadline - time.monotonic()
    if left <= 0:
        raise httpcore.ReadTimeout("the time is up")
    return left if timeout is None else min(left, timeout)

"""One POST: to which address it goes, what it takes for an answer, and that it ends."""

import socket
import ssl
import threading
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

import httpcore
import pytest

from app.core.news.addresses import AddressRules
from tests.certificates import tls_of
from tests.news import LENIENT
from tests.receivers import Receiver, open_receiver
from worker.news.post import LARGEST_ANSWER_BYTES, STEP_SECONDS, Answer, post

STRICT = AddressRules(allow_private=False, allow_http=True)
PUBLIC = "93.184.216.34"
TLS = ssl.create_default_context()


class Names:
    """A resolver that tests set: the next answer each time, and the last one from then on."""

    def __init__(self, *answers: Sequence[str]) -> None:
        self._answers = list(answers)
        self.asked = 0

    def __call__(self, _host: str, _port: int) -> Sequence[str]:
        self.asked += 1
        return self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]


class Network(httpcore.SyncBackend):
    """Notes where a connection goes, and leads it to the receiver, wherever that was."""

    def __init__(self) -> None:
        self.addresses: list[str] = []
        self.timeouts: list[float | None] = []

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        self.addresses.append(host)
        self.timeouts.append(timeout)
        return super().connect_tcp("127.0.0.1", port, timeout, local_address, socket_options)


def named(receiver: Receiver, host: str = "receiver.test") -> str:
    """The receiver's address, by name."""
    return receiver.url.replace("127.0.0.1", host)


@pytest.mark.parametrize(
    "addresses",
    [["127.0.0.1"], ["10.0.0.1"], ["::1"], ["::ffff:127.0.0.1"], ["169.254.169.254"], [PUBLIC, "127.0.0.1"]],
)
def test_a_name_that_leads_inside_is_refused_and_nothing_is_sent(receiver: Receiver, addresses: list[str]):
    network = Network()
    answer = post(named(receiver), b"{}", {}, rules=STRICT, tls=TLS, resolve=Names(addresses), sockets=network)
    assert answer.status is None
    assert "only addresses on the internet are allowed" in answer.text
    assert not any(address in answer.text for address in addresses), "it maps no network for strangers"
    assert (receiver.received, network.addresses) == ([], [])


@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]", "2130706433", "0x7f.1", "127.1", "localhost"])
def test_no_way_to_write_a_private_address_leads_there(receiver: Receiver, host: str):
    answer = post(named(receiver, host), b"{}", {}, rules=STRICT, tls=TLS)
    assert (answer.status, receiver.received) == (None, [])


def test_it_connects_to_the_address_that_it_has_checked_and_asks_for_no_other(receiver: Receiver):
    names, network = Names([PUBLIC], ["127.0.0.1"]), Network()
    answer = post(named(receiver), b"{}", {}, rules=STRICT, tls=TLS, resolve=names, sockets=network)
    assert answer.status == 204
    assert (names.asked, network.addresses) == (1, [PUBLIC])
    assert receiver.received[0].headers["host"] == urlsplit(named(receiver)).netloc


def test_private_addresses_are_allowed_by_the_setting(receiver: Receiver):
    assert post(named(receiver), b"{}", {}, rules=LENIENT, tls=TLS, resolve=Names(["127.0.0.1"])).status == 204


def test_plain_http_is_refused_without_the_setting(receiver: Receiver):
    rules = AddressRules(allow_private=True, allow_http=False)
    answer = post(receiver.url, b"{}", {}, rules=rules, tls=TLS)
    assert answer == Answer(None, "Not sent: only https:// is allowed.")
    assert receiver.received == []


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_a_failure_and_is_not_followed(receiver: Receiver, status: int):
    with open_receiver() as elsewhere:
        receiver.status, receiver.headers = status, {"Location": elsewhere.url}
        answer = post(receiver.url, b"{}", {}, rules=LENIENT, tls=TLS)
        assert elsewhere.received == []
    assert (answer.status, answer.is_good) == (status, False)
    assert "redirects are not followed" in answer.text


@pytest.mark.parametrize(
    ("status", "is_good"), [(200, True), (204, True), (299, True), (400, False), (410, False), (500, False)]
)
def test_only_2xx_is_good(receiver: Receiver, status: int, is_good: bool):
    receiver.status = status
    receiver.answer = b"" if status == 204 else "n\u00f6\0".encode()
    answer = post(receiver.url, b"{}", {}, rules=LENIENT, tls=TLS)
    assert (answer.status, answer.is_good) == (status, is_good)
    assert "\0" not in answer.text


def test_no_more_of_an_answer_is_read_than_needed(receiver: Receiver):
    receiver.status, receiver.answer = 200, b"x" * 50_000_000
    answer = post(receiver.url, b"{}", {}, rules=LENIENT, tls=TLS)
    assert answer.is_good
    assert len(answer.text) < LARGEST_ANSWER_BYTES


def test_a_receiver_that_is_not_there_is_told_in_words():
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    answer = post(f"http://127.0.0.1:{port}/", b"{}", {}, rules=LENIENT, tls=TLS)
    assert answer.status is None
    assert "refused" in answer.text


@pytest.mark.parametrize("host", ["no-such-host.invalid", "x" * 64 + ".example", "a..b"])
def test_a_name_that_there_is_not_is_told_in_words(host: str):
    answer = post(f"http://{host}/", b"{}", {}, rules=LENIENT, tls=TLS)
    assert answer.status is None
    assert answer.text


@pytest.mark.parametrize(
    ("beginning", "expected"),
    [
        (b"", Answer(None, "No answer in time.")),
        (b"HTTP/1.1 200 OK\r\nX: ", Answer(None, "No answer in time.")),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n", Answer(200, "x")),
    ],
)
def test_who_sends_a_byte_now_and_then_does_not_hold_it_up_for_ever(beginning: bytes, expected: Answer):
    over = threading.Event()

    def drip(server: socket.socket) -> None:
        connection, _ = server.accept()
        with connection, suppress(OSError):
            connection.sendall(beginning)
            while not over.wait(0.05):
                connection.sendall(b"x")

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=drip, args=(server,), daemon=True)
        thread.start()
        url = f"http://127.0.0.1:{server.getsockname()[1]}/"
        answer = post(url, b"{}", {}, rules=LENIENT, tls=TLS, deadline_seconds=0.5)
        over.set()
        thread.join()
    assert (answer.status, answer.text.strip("x")) == (expected.status, expected.text.strip("x"))


def test_no_wait_is_longer_than_what_is_left(receiver: Receiver):
    network = Network()
    answer = post(receiver.url, b"{}", {}, rules=LENIENT, tls=TLS, sockets=network, deadline_seconds=STEP_SECONDS / 2)
    assert answer.is_good
    assert all(timeout is not None and timeout <= STEP_SECONDS / 2 for timeout in network.timeouts)


def test_a_resolver_that_hangs_does_not_hold_it_up():
    over = threading.Event()

    def hang(_host: str, _port: int) -> Sequence[str]:
        over.wait()
        return []

    answer = post("http://receiver.test/", b"{}", {}, rules=LENIENT, tls=TLS, resolve=hang, deadline_seconds=0.2)
    over.set()
    assert answer == Answer(None, "No answer in time.")


def test_the_certificate_must_be_trusted_and_of_the_name(tmp_path: Path):
    server, certificate = tls_of("receiver.test", tmp_path)
    trusting = ssl.create_default_context(cafile=certificate)
    names = Names(["127.0.0.1"])
    with open_receiver(server) as receiver:
        assert post(named(receiver), b"{}", {}, rules=LENIENT, tls=trusting, resolve=names).status == 204
        for host, tls in (("receiver.test", TLS), ("another.test", trusting), ("127.0.0.1", trusting)):
            answer = post(named(receiver, host), b"{}", {}, rules=LENIENT, tls=tls, resolve=names)
            assert answer.status is None
            assert "certificate verify failed" in answer.text.lower()
        assert len(receiver.received) == 1

"""`Expect: 100-continue`: the body is asked for only where it will be read."""

import pytest

from tests.ingest_bodies import EVENT, Buffered
from tests.raw_http import RawConnection, ingest_head, ingest_request

EXPECT = "Expect: 100-continue"

pytestmark = pytest.mark.usefixtures("clean_redis")


@pytest.mark.parametrize("framing", [f"Content-Length: {len(EVENT)}", "Transfer-Encoding: chunked"])
@pytest.mark.parametrize(
    "refusal",
    [
        (401, b"eg_live_", b"eg_live_x"),
        (415, b"application/json", b"text/plain"),
        (415, b"Expect", b"Content-Encoding: br\r\nExpect"),
        (404, b"/analytics", b"/nothing"),
        (405, b"POST", b"PATCH"),
    ],
)
def test_what_the_head_decides_is_answered_without_a_100(
    connection: RawConnection, ingest_key: str, buffered: Buffered, framing: str, refusal: tuple[int, bytes, bytes]
) -> None:
    status, old, new = refusal
    connection.send(ingest_head(ingest_key, framing, EXPECT).replace(old, new, 1))
    answer = connection.receive()
    assert (answer.status, answer.headers["connection"]) == (status, "close")
    connection.send(ingest_request(ingest_key, EVENT))
    assert connection.is_closed_by_server()
    assert buffered() == []


def test_a_length_above_the_limit_is_answered_without_a_100(connection: RawConnection, ingest_key: str) -> None:
    connection.send(ingest_head(ingest_key, "Content-Length: 16385", EXPECT))
    answer = connection.receive()
    assert (answer.status, answer.headers["connection"]) == (413, "close")
    assert connection.is_closed_by_server()


def test_a_100_comes_once_and_the_connection_goes_on(connection: RawConnection, ingest_key: str) -> None:
    for _ in range(2):
        connection.send(ingest_head(ingest_key, f"Content-Length: {len(EVENT)}", EXPECT))
        assert connection.receive().status == 100
        for byte in EVENT:
            connection.send(bytes([byte]))
        answer = connection.receive()
        assert (answer.status, answer.headers["connection"]) == (204, "keep-alive")


def test_a_client_that_does_not_wait_for_the_100_is_served_too(
    connection: RawConnection, ingest_key: str, buffered: Buffered
) -> None:
    for _ in range(2):
        connection.send(ingest_request(ingest_key, EVENT, EXPECT))
        assert [connection.receive().status for _ in range(2)] == [100, 204]
    assert len(buffered()) == 2


def test_a_body_that_does_not_come_after_the_100_is_a_408(connection: RawConnection, ingest_key: str) -> None:
    connection.send(ingest_head(ingest_key, "Content-Length: 5", EXPECT))
    assert connection.receive().status == 100
    answer = connection.receive()
    assert (answer.status, answer.headers["connection"]) == (408, "close")


def test_another_endpoint_than_the_events_never_asks_for_a_body_that_it_does_not_read(web: str) -> None:
    for method in ("GET", "POST"):
        with RawConnection(web) as connection:
            connection.send(f"{method} /healthz HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n{EXPECT}\r\n\r\n".encode())
            answer = connection.receive()
            assert (answer.status, answer.headers["connection"]) == (200 if method == "GET" else 405, "close")

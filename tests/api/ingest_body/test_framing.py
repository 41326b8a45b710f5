"""The body of an event on its connection: chunks, ends, slowness, and what follows it."""

import contextlib
import json
import threading
import time

import httpx
import pytest

from tests.ingest_bodies import EVENT, PATH, Buffered
from tests.raw_http import RawConnection, chunked, ingest_head, ingest_request

SMUGGLED = b'{"prompt_id":"66666666-6666-6666-6666-666666666666","version_hash":"smuggled"}'


pytestmark = pytest.mark.usefixtures("clean_redis")


def versions(buffered: Buffered) -> list[str]:
    return [event.version_hash for event in buffered()]


@pytest.mark.parametrize("pieces", [(EVENT,), (EVENT[:1], EVENT[1:30], EVENT[30:]), tuple(bytes([b]) for b in EVENT)])
def test_it_takes_chunked_bodies(
    connection: RawConnection, ingest_key: str, buffered: Buffered, pieces: tuple[bytes, ...]
) -> None:
    for _ in range(2):
        connection.send(ingest_head(ingest_key, "Transfer-Encoding: chunked") + chunked(*pieces))
        assert connection.receive().status == 204
    assert len(buffered()) == 2


def test_it_takes_chunks_that_arrive_one_by_one(connection: RawConnection, ingest_key: str) -> None:
    connection.send(ingest_head(ingest_key, "Transfer-Encoding: chunked", "Expect: 100-continue"))
    assert connection.receive().status == 100
    for byte in chunked(EVENT[:40], EVENT[40:]):
        connection.send(bytes([byte]))
    assert connection.receive().status == 204


@pytest.mark.parametrize(
    "body",
    [
        b"zz\r\n" + EVENT + b"\r\n0\r\n\r\n",
        b"\r\n",
        b"-1\r\n\r\n",
        b"0x10\r\n" + EVENT,
        b"5\r\n{}\r\n0\r\n\r\n",
        b"2\r\n{}XX0\r\n\r\n",
        b"2 \r\n{}\r\n0\r\n\r\n",
        b"2;a\rb\r\n{}\r\n0\r\n\r\n",
        b"2\n{}\n0\n\n",
        b"2\r\n{}\r\n0\r\nContent-Length: 5\r\n\r\n",
        b"2\r\n{}\r\n0\r\nBad Trailer\r\n\r\n",
        b"FFFFFFFFFFFFFFFFF;" + b"a" * 9_000,
    ],
    ids=range(12),
)
def test_it_refuses_a_malformed_chunk_and_closes_the_connection(
    connection: RawConnection, ingest_key: str, buffered: Buffered, body: bytes
) -> None:
    connection.send(ingest_head(ingest_key, "Transfer-Encoding: chunked") + body)
    connection.end_sending()
    answer = connection.receive()
    assert (answer.status, answer.code) == (400, "VALIDATION_ERROR")
    assert connection.is_closed_by_server()
    assert buffered() == []


@pytest.mark.parametrize(
    "request_body",
    [
        ("Content-Length: 100", EVENT),
        ("Content-Length: 1", b""),
        ("Transfer-Encoding: chunked", b"48\r\n" + EVENT[:20]),
        ("Transfer-Encoding: chunked", b"%x\r\n%s\r\n" % (len(EVENT), EVENT)),
        ("Transfer-Encoding: chunked", b""),
    ],
    ids=range(5),
)
def test_it_refuses_a_body_that_ends_early(
    connection: RawConnection, ingest_key: str, buffered: Buffered, request_body: tuple[str, bytes]
) -> None:
    header, body = request_body
    connection.send(ingest_head(ingest_key, header) + body)
    connection.end_sending()
    assert connection.receive().code == "VALIDATION_ERROR"
    assert buffered() == []


def test_it_refuses_a_request_without_a_body(connection: RawConnection, ingest_key: str) -> None:
    connection.send(ingest_head(ingest_key) + ingest_request(ingest_key, EVENT))
    assert connection.receive().code == "VALIDATION_ERROR"
    assert connection.receive().status == 204


def test_a_slow_body_is_a_408_and_its_rest_is_never_taken_for_a_request(
    web: str, ingest_key: str, buffered: Buffered
) -> None:
    smuggled = ingest_request(ingest_key, SMUGGLED)
    stalled = ingest_head(ingest_key, f"Content-Length: {len(EVENT) + len(smuggled)}") + EVENT
    in_a_chunk = ingest_head(ingest_key, "Transfer-Encoding: chunked") + b"%x\r\n" % len(smuggled)
    between_chunks = ingest_head(ingest_key, "Transfer-Encoding: chunked") + b"1\r\n{\r\n"
    started = time.monotonic()
    connections = [RawConnection(web) for _ in range(3)]
    for connection, beginning in zip(connections, (stalled, in_a_chunk, between_chunks), strict=True):
        connection.send(beginning)
    for connection in connections:
        assert connection.receive().code == "REQUEST_TIMEOUT"
        assert 4.5 < time.monotonic() - started < 8
        with contextlib.suppress(ConnectionError):
            connection.send(smuggled)
        assert connection.is_closed_by_server()
        connection.close()
    assert buffered() == []


def test_a_body_that_drips_wins_no_time(connection: RawConnection, ingest_key: str) -> None:
    answered = threading.Event()

    def drip() -> None:
        with contextlib.suppress(ConnectionError):
            while not answered.wait(0.2):
                connection.send(b" ")

    connection.send(ingest_head(ingest_key, "Content-Length: 1000"))
    dripping = threading.Thread(target=drip)
    dripping.start()
    try:
        assert connection.receive().code == "REQUEST_TIMEOUT"
    finally:
        answered.set()
        dripping.join()


@pytest.mark.parametrize(
    "framing",
    [
        ("Content-Length: {length}", "Transfer-Encoding: chunked"),
        ("Transfer-Encoding: chunked", "Content-Length: {length}"),
        ("Content-Length: {length}", "Content-Length: {length}"),
        ("Content-Length: {length}", "Content-Length: 5"),
        ("Content-Length: {length}, {length}",),
        ("Content-Length: +{length}",),
        ("Content-Length: -1",),
        ("Content-Length: 0x10",),
        ("Content-Length: 1_0",),
        ("Content-Length: \xb2",),
        ("Transfer-Encoding: chunked", "Transfer-Encoding: chunked"),
        ("Transfer-Encoding: chunked, chunked",),
        ("Transfer-Encoding: chunked, identity",),
        ("Transfer-Encoding: identity",),
        ("Transfer-Encoding: xchunked",),
        ("Transfer-Encoding: \x0bchunked",),
        ("Transfer-Encoding : chunked",),
        ("Transfer-Encoding:\r\n chunked",),
        ("X: y\r\n folded", "Content-Length: {length}"),
        ("X: y\nTransfer-Encoding: chunked", "Content-Length: {length}"),
        ("Transfer_Encoding: chunked\x00", "Content-Length: {length}"),
        ("Content-Length: {length}", "Content-Type: text/plain"),
        ("Content-Length: {length}", "Host: other"),
    ],
    ids=range(23),
)
def test_ambiguous_framing_is_refused_and_the_connection_closed(
    connection: RawConnection, ingest_key: str, buffered: Buffered, framing: tuple[str, ...]
) -> None:
    body = b"0\r\n\r\n" + ingest_request(ingest_key, SMUGGLED)
    lines = [line.format(length=len(body)) for line in framing]
    connection.send(ingest_head(ingest_key, *lines) + body)
    connection.end_sending()
    answer = connection.receive()
    assert answer.status in {400, 501}
    assert answer.json["success"] is False
    assert ingest_key.encode() not in answer.body
    assert connection.is_closed_by_server()
    assert buffered() == []


def test_a_request_inside_of_a_body_is_no_request(
    connection: RawConnection, ingest_key: str, buffered: Buffered
) -> None:
    inner = ingest_request(ingest_key, SMUGGLED)
    refusals = [
        (ingest_request(ingest_key, inner), 400),
        (ingest_request("eg_live_wrong", inner), 401),
        (ingest_request(ingest_key, inner, "Content-Encoding: gzip"), 415),
        (ingest_request(ingest_key, inner).replace(b"/analytics", b"/nothing", 1), 404),
        (ingest_request(ingest_key, inner).replace(b"POST", b"PATCH", 1), 405),
        (ingest_head("eg_live_wrong", "Transfer-Encoding: chunked") + chunked(inner), 401),
    ]
    for request, status in refusals:
        connection.send(request)
        assert connection.receive().status == status
    connection.send(ingest_request(ingest_key, EVENT))
    assert connection.receive().status == 204
    assert versions(buffered) == ["v"]


def test_pipelined_requests_are_answered_in_their_order(
    connection: RawConnection, ingest_key: str, buffered: Buffered
) -> None:
    bodies = [EVENT, b"{}", EVENT.replace(b'"v"', b'"w"'), b"x"]
    requests = [ingest_request(ingest_key, body, f"X-Request-Id: r{n}") for n, body in enumerate(bodies)]
    requests.append(ingest_head(ingest_key, "Transfer-Encoding: chunked", "X-Request-Id: r4") + chunked(EVENT))
    connection.send(b"".join(requests))
    answers = [connection.receive() for _ in requests]
    assert [answer.status for answer in answers] == [204, 400, 204, 400, 204]
    assert [answer.headers["x-request-id"] for answer in answers] == ["r0", "r1", "r2", "r3", "r4"]
    assert versions(buffered) == ["v", "w", "v"]


def test_it_answers_100_before_a_body_that_waits_for_it(connection: RawConnection, ingest_key: str) -> None:
    connection.send(ingest_head(ingest_key, f"Content-Length: {len(EVENT)}", "Expect: 100-continue"))
    assert connection.receive().status == 100
    connection.send(EVENT)
    assert connection.receive().status == 204


def test_another_expectation_is_refused(connection: RawConnection, ingest_key: str, buffered: Buffered) -> None:
    connection.send(ingest_request(ingest_key, EVENT, "Expect: 200-ok"))
    assert connection.receive().status == 417
    assert buffered() == []


def test_the_key_is_checked_before_the_body(client: httpx.Client) -> None:
    bad = {"Authorization": "Bearer eg_live_wrong"}
    assert client.post(PATH, content=b"x" * 100_000, headers=bad).status_code == 401
    assert client.post(PATH, content=b"", headers={**bad, "Content-Encoding": "gzip"}).status_code == 401


def test_unicode_travels_unescaped_too(client: httpx.Client, buffered: Buffered) -> None:
    body = json.dumps({**json.loads(EVENT), "version_hash": "größer als 中"}, ensure_ascii=False).encode()
    assert client.post(PATH, content=body, headers={"Content-Type": "application/json"}).status_code == 204
    assert versions(buffered) == ["größer als 中"]

"""What becomes of a pooled connection after a refusal: the next, valid event is always acknowledged."""

import http.client
import json
from collections.abc import Callable, Iterator
from urllib.parse import urlsplit

import httpx
import pytest

from tests.ingest_bodies import EVENT, PATH, Buffered
from tests.raw_http import RawConnection, chunked, ingest_head, ingest_request

JSON = {"Content-Type": "application/json"}
TIMES = 5
MEBIBYTE = 1024 * 1024

pytestmark = pytest.mark.usefixtures("clean_redis")

# What is refused: its body, and the headers that it has other than a good event's.
REFUSED: dict[str, tuple[int, bytes, dict[str, str]]] = {
    "a large body": (413, b" " * 20_000, {}),
    "a larger body": (413, b" " * 900_000, {}),
    "a body above 1 MiB": (413, b" " * 5 * MEBIBYTE, {}),
    "a body above 16 MiB": (413, b" " * 20 * MEBIBYTE, {}),
    "no JSON": (400, b"no JSON", {}),
    "another type": (415, EVENT, {"Content-Type": "text/plain"}),
    "another type and a large body": (415, b" " * 500_000, {"Content-Type": "text/plain"}),
    "a wrong key": (401, EVENT, {"Authorization": "Bearer eg_live_wrong"}),
    "a wrong key and a large body": (401, b" " * 500_000, {"Authorization": "Bearer eg_live_wrong"}),
}


@pytest.fixture
def post_by_http_client(web: str, ingest_key: str) -> Iterator[Callable[[bytes, dict[str, str]], int]]:
    url = urlsplit(web)
    connection = http.client.HTTPConnection(url.hostname or "", url.port, timeout=15)

    def post(body: bytes, headers: dict[str, str]) -> int:
        connection.request("POST", PATH, body, {"Authorization": f"Bearer {ingest_key}", **JSON, **headers})
        answer = connection.getresponse()
        answer.read()
        return answer.status

    yield post
    connection.close()


@pytest.mark.parametrize("what", REFUSED)
def test_http_client_loses_no_event_after_a_refusal(
    post_by_http_client: Callable[[bytes, dict[str, str]], int], buffered: Buffered, what: str
) -> None:
    status, body, headers = REFUSED[what]
    for _ in range(TIMES):
        assert post_by_http_client(body, headers) == status
        assert post_by_http_client(EVENT, {}) == 204
    assert len(buffered()) == TIMES


@pytest.mark.parametrize("what", REFUSED)
def test_httpx_loses_no_event_after_a_refusal(client: httpx.Client, buffered: Buffered, what: str) -> None:
    status, body, headers = REFUSED[what]
    for _ in range(TIMES):
        for content in (body, iter([body])):
            assert client.post(PATH, content=content, headers={**JSON, **headers}).status_code == status
            assert client.post(PATH, content=EVENT, headers=JSON).status_code == 204
    assert len(buffered()) == 2 * TIMES


@pytest.mark.parametrize("framing", ["Content-Length: 300000", "Transfer-Encoding: chunked"])
@pytest.mark.parametrize(
    "refusal",
    [
        (401, b"eg_live_", b"eg_live_x"),
        (413, b"", b""),
        (415, b"application/json", b"text/plain"),
        (404, b"/analytics", b"/nothing"),
        (405, b"POST", b"PATCH"),
    ],
)
def test_an_answer_before_the_end_of_a_long_body_says_close_and_what_follows_is_no_request(
    connection: RawConnection, ingest_key: str, buffered: Buffered, framing: str, refusal: tuple[int, bytes, bytes]
) -> None:
    status, old, new = refusal
    inner = ingest_request(ingest_key, EVENT)
    head = ingest_head(ingest_key, framing).replace(old, new, 1)
    body = inner + b" " * (300_000 - len(inner))
    connection.send(head + (chunked(body) if "chunked" in framing else body) + inner)
    answer = connection.receive()
    assert (answer.status, answer.headers["connection"]) == (status, "close")
    assert connection.is_closed_by_server()
    assert buffered() == []


@pytest.mark.parametrize(
    ("status", "old", "new"), [(401, b"eg_live_", b"eg_live_x"), (415, b"application/json", b"text/plain")]
)
def test_an_answer_before_a_short_body_leaves_the_connection_open(
    connection: RawConnection, ingest_key: str, status: int, old: bytes, new: bytes
) -> None:
    connection.send(ingest_request(ingest_key, EVENT).replace(old, new, 1))
    answer = connection.receive()
    assert (answer.status, answer.headers["connection"]) == (status, "keep-alive")
    connection.send(ingest_request(ingest_key, EVENT))
    assert connection.receive().status == 204


def test_a_key_that_is_refused_before_its_body_comes_hears_of_it_at_once_and_the_connection_ends(
    connection: RawConnection, buffered: Buffered, ingest_key: str
) -> None:
    connection.send(ingest_head("eg_live_wrong", "Content-Length: 400"))
    answer = connection.receive()
    assert (answer.status, answer.headers["connection"]) == (401, "close")
    connection.send(ingest_request(ingest_key, EVENT))
    assert connection.is_closed_by_server()
    assert buffered() == []


@pytest.mark.parametrize("framing", ["Content-Length: 400", "Transfer-Encoding: chunked"])
def test_a_body_that_ends_early_or_comes_too_slowly_says_close(web: str, ingest_key: str, framing: str) -> None:
    beginning = b"5\r\n{" if "chunked" in framing else b"{"
    with RawConnection(web) as early, RawConnection(web) as slow:
        for connection in (early, slow):
            connection.send(ingest_head(ingest_key, framing) + beginning)
        early.end_sending()
        answers = [connection.receive() for connection in (early, slow)]
        assert [(answer.status, answer.headers["connection"]) for answer in answers] == [(400, "close"), (408, "close")]


def test_every_answer_to_a_body_that_was_read_keeps_the_connection(connection: RawConnection, ingest_key: str) -> None:
    for body, status in ((EVENT, 204), (json.dumps({}).encode(), 400), (b"x", 400)):
        connection.send(ingest_request(ingest_key, body))
        answer = connection.receive()
        assert (answer.status, answer.headers["connection"]) == (status, "keep-alive")

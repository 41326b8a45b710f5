"""The body of an event: its type, its encoding and its size."""

import gzip

import httpx
import pytest

from tests.ingest_bodies import EVENT, PATH, Buffered
from tests.raw_http import RawConnection, chunked, ingest_head, ingest_request

LIMIT_BYTES = 16 * 1024


pytestmark = pytest.mark.usefixtures("clean_redis")


def padded_to(size: int) -> bytes:
    return EVENT + b" " * (size - len(EVENT))


@pytest.mark.parametrize(
    "content_type",
    [
        "application/json",
        "application/json; charset=utf-8",
        "application/json;charset=UTF-8",
        'APPLICATION/JSON ; Charset="utf-8"',
    ],
)
def test_it_takes_json_in_utf_8(client: httpx.Client, content_type: str) -> None:
    assert client.post(PATH, content=EVENT, headers={"Content-Type": content_type}).status_code == 204


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Content-Type": ""},
        {"Content-Type": "text/plain"},
        {"Content-Type": "application/x-www-form-urlencoded"},
        {"Content-Type": "application/jsonx"},
        {"Content-Type": "application/problem+json"},
        {"Content-Type": "application/json, text/plain"},
        {"Content-Type": "application/json; charset=latin-1"},
        {"Content-Type": "application/json; charset=utf-16"},
        {"Content-Type": "application/json; boundary=x"},
        {"Content-Type": "application/json", "Content-Encoding": "gzip"},
        {"Content-Type": "application/json", "Content-Encoding": "identity, br"},
        {"Content-Type": "application/json", "Content-Encoding": "zstd"},
    ],
    ids=str,
)
def test_it_refuses_other_types_and_encodings(
    client: httpx.Client, buffered: Buffered, headers: dict[str, str]
) -> None:
    answer = client.post(PATH, content=EVENT, headers=headers)
    assert (answer.status_code, answer.json()["error"]["code"]) == (415, "UNSUPPORTED_MEDIA_TYPE")
    assert buffered() == []


def test_it_does_not_inflate_a_gzip_bomb(client: httpx.Client) -> None:
    bomb = gzip.compress(b" " * 10_000_000)
    assert len(bomb) < LIMIT_BYTES
    json_type = {"Content-Type": "application/json"}
    named = client.post(PATH, content=bomb, headers={**json_type, "Content-Encoding": "gzip"})
    hidden = client.post(PATH, content=bomb, headers=json_type)
    assert (named.status_code, hidden.status_code) == (415, 400)


def test_it_takes_a_body_of_exactly_16_kib(client: httpx.Client) -> None:
    json_type = {"Content-Type": "application/json"}
    assert client.post(PATH, content=padded_to(LIMIT_BYTES), headers=json_type).status_code == 204
    pieces = iter([padded_to(LIMIT_BYTES)])
    assert client.post(PATH, content=pieces, headers=json_type).status_code == 204


@pytest.mark.parametrize("size", [LIMIT_BYTES + 1, 100_000, 900_000])
def test_it_refuses_a_larger_body_with_a_length_and_closes_the_connection(
    connection: RawConnection, ingest_key: str, buffered: Buffered, size: int
) -> None:
    connection.send(ingest_request(ingest_key, padded_to(size)))
    answer = connection.receive()
    assert (answer.status, answer.code) == (413, "PAYLOAD_TOO_LARGE")
    assert connection.is_closed_by_server()
    assert buffered() == []


@pytest.mark.parametrize("size", [LIMIT_BYTES + 1, 100_000, 900_000])
def test_it_refuses_a_larger_chunked_body_and_never_cuts_it(
    connection: RawConnection, ingest_key: str, buffered: Buffered, size: int
) -> None:
    connection.send(ingest_head(ingest_key, "Transfer-Encoding: chunked") + chunked(padded_to(size)))
    assert connection.receive().code == "PAYLOAD_TOO_LARGE"
    assert connection.is_closed_by_server()
    assert buffered() == []


def test_it_answers_413_to_a_client_that_announces_too_much_and_sends_nothing(
    connection: RawConnection, ingest_key: str
) -> None:
    connection.send(ingest_head(ingest_key, "Content-Length: 99999999999"))
    assert connection.receive().code == "PAYLOAD_TOO_LARGE"

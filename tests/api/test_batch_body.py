"""Bodies of batches: up to 1 MiB, plain or gzip, inflated only so far."""

import gzip
import json
import tracemalloc
import zlib
from collections.abc import Callable

import httpx
import pytest

from app.core.stream.events import Event
from app.web.body import _inflate
from app.web.errors import ApiError
from tests.raw_http import RawConnection, chunked, ingest_head

PATH = "/api/v1/prompts/analytics/batch"
EVENT = {"prompt_id": "123e4567-e89b-12d3-a456-426614174000", "version_hash": "v"}
BATCH = json.dumps({"events": [{**EVENT, "score": number} for number in range(3)]}).encode()
LIMIT_BYTES = 1024 * 1024

Buffered = Callable[[], list[Event]]

pytestmark = pytest.mark.usefixtures("clean_redis")


def padded_to(size: int) -> bytes:
    return BATCH + b" " * (size - len(BATCH))


def post(client: httpx.Client, body: bytes, encoding: str | None = "gzip") -> httpx.Response:
    headers = {"Content-Type": "application/json"} | ({} if encoding is None else {"Content-Encoding": encoding})
    return client.post(PATH, content=body, headers=headers)


def code_of(answer: httpx.Response) -> str:
    code = answer.json()["error"]["code"]
    assert isinstance(code, str)
    return code


def test_it_takes_a_body_of_exactly_1_mib(client: httpx.Client, buffered: Buffered) -> None:
    assert post(client, padded_to(LIMIT_BYTES), None).status_code == 204
    assert post(client, padded_to(LIMIT_BYTES), "identity").status_code == 204
    assert len(buffered()) == 6


def test_it_refuses_a_larger_body(client: httpx.Client, buffered: Buffered) -> None:
    answer = post(client, padded_to(LIMIT_BYTES + 1), None)
    assert (answer.status_code, code_of(answer)) == (413, "PAYLOAD_TOO_LARGE")
    assert buffered() == []


@pytest.mark.parametrize("level", [0, 1, 9])
@pytest.mark.parametrize("encoding", ["gzip", "GZIP"])
def test_it_takes_gzip(client: httpx.Client, buffered: Buffered, level: int, encoding: str) -> None:
    assert post(client, gzip.compress(BATCH, level), encoding).status_code == 204
    assert [event.score for event in buffered()] == [0, 1, 2]


def test_it_takes_gzip_in_chunks(web: str, ingest_key: str, buffered: Buffered) -> None:
    body = gzip.compress(BATCH)
    head = ingest_head(ingest_key, "Transfer-Encoding: chunked", "Content-Encoding: gzip", path=PATH)
    with RawConnection(web) as connection:
        connection.send(head + chunked(body[:7], body[7:40], body[40:]))
        assert connection.receive().status == 204
    assert len(buffered()) == 3


@pytest.mark.parametrize("encoding", ["x-gzip", "deflate", "br", "zstd", "gzip, gzip", "gzip,identity", ""])
def test_it_refuses_other_encodings(client: httpx.Client, buffered: Buffered, encoding: str) -> None:
    answer = post(client, gzip.compress(BATCH), encoding)
    assert (answer.status_code, code_of(answer)) == (415, "UNSUPPORTED_MEDIA_TYPE")
    assert buffered() == []


def test_it_takes_an_inflated_body_of_exactly_1_mib_and_none_that_is_larger(
    client: httpx.Client, buffered: Buffered
) -> None:
    assert post(client, gzip.compress(padded_to(LIMIT_BYTES))).status_code == 204
    answer = post(client, gzip.compress(padded_to(LIMIT_BYTES + 1)))
    assert (answer.status_code, code_of(answer)) == (413, "PAYLOAD_TOO_LARGE")
    assert len(buffered()) == 3


@pytest.fixture
def bomb() -> bytes:
    compressor = zlib.compressobj(wbits=31)
    megabyte = b" " * 1_000_000
    bomb = b"".join(compressor.compress(megabyte) for _ in range(500)) + compressor.flush()
    assert len(bomb) < LIMIT_BYTES
    return bomb


def test_a_gzip_bomb_is_refused(client: httpx.Client, buffered: Buffered, bomb: bytes) -> None:
    answer = post(client, bomb)
    assert (answer.status_code, code_of(answer)) == (413, "PAYLOAD_TOO_LARGE")
    assert buffered() == []


def test_a_gzip_bomb_does_not_go_off(bomb: bytes) -> None:
    tracemalloc.start()
    try:
        with pytest.raises(ApiError):
            _inflate(bomb, LIMIT_BYTES)
        assert tracemalloc.get_traced_memory()[1] < 4 * LIMIT_BYTES
    finally:
        tracemalloc.stop()


def test_the_sent_body_is_limited_too(client: httpx.Client) -> None:
    stored = gzip.compress(padded_to(LIMIT_BYTES), 0)
    assert code_of(post(client, stored)) == "PAYLOAD_TOO_LARGE"


def broken() -> dict[str, bytes]:
    good = gzip.compress(BATCH)
    return {
        "empty": b"",
        "plain": BATCH,
        "zlib": zlib.compress(BATCH),
        "raw deflate": zlib.compress(BATCH)[2:-4],
        "a header only": good[:10],
        "cut off": good[: len(good) // 2],
        "without its checksum": good[:-8],
        "the last byte missing": good[:-1],
        "another checksum": good[:-8] + bytes([good[-8] ^ 1]) + good[-7:],
        "another length": good[:-4] + b"\x00\x00\x00\x01",
        "damaged": good[:20] + bytes([good[20] ^ 0xFF]) + good[21:],
        "garbage behind": good + b"x",
        "zeros behind": good + b"\x00" * 8,
        "a second member": good + gzip.compress(b" "),
        "in two members": gzip.compress(BATCH[:20]) + gzip.compress(BATCH[20:]),
        "gzip in gzip": gzip.compress(good),
        "gzip of nothing": gzip.compress(b""),
    }


@pytest.mark.parametrize("what", broken())
def test_it_refuses_what_is_not_one_whole_gzip_file_of_json(
    client: httpx.Client, buffered: Buffered, what: str
) -> None:
    answer = post(client, broken()[what])
    assert (answer.status_code, code_of(answer)) == (400, "VALIDATION_ERROR")
    assert [detail["field"] for detail in answer.json()["error"]["details"]] == ["body"]
    assert buffered() == []


def test_a_bomb_behind_a_good_member_is_refused_too(client: httpx.Client, buffered: Buffered) -> None:
    bomb = gzip.compress(BATCH) + gzip.compress(b" " * 10_000_000, 9)
    assert post(client, bomb).status_code == 400
    assert buffered() == []


def test_the_connection_stays_in_step_after_a_refused_gzip_body(client: httpx.Client, buffered: Buffered) -> None:
    bodies = (broken()["cut off"], gzip.compress(b" " * 10_000_000), gzip.compress(BATCH))
    assert [post(client, body).status_code for body in bodies] == [400, 413, 204]
    assert len(buffered()) == 3

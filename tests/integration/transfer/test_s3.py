"""Export and import by way of S3-compatible storage, on a local server."""

import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.local.children import REPOSITORY, Guard
from app.local.ports import free_port
from tests.commands import fails_with_one_line
from tests.transfers import all_events, odd_events, store_project, store_received
from tests.waiting import wait_until

SERVER = REPOSITORY / ".venv-s3/bin/python"
BUCKET = "exports"

pytestmark = pytest.mark.skipif(not SERVER.exists(), reason="moto is not installed (make .venv-s3/.installed)")


def ask(url: str, method: str = "GET") -> bytes | None:
    """None where nobody answers, or with an error."""
    try:
        with urllib.request.urlopen(urllib.request.Request(url, method=method), timeout=5) as answer:  # noqa: S310
            body: bytes = answer.read()
            return body
    except urllib.error.URLError:
        return None


@pytest.fixture(scope="module")
def storage(guard: Guard, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a server with one bucket."""
    port = free_port()
    log_path = tmp_path_factory.mktemp("s3") / "log"
    server = guard.start([str(SERVER), "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)], log_path=log_path)
    url = f"http://127.0.0.1:{port}"
    wait_until(lambda: ask(f"{url}/{BUCKET}", "PUT") is not None, 60)
    yield url
    server.kill()


@pytest.fixture
def endpoint(storage: str, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    return {"aws_endpoint_url": storage}


def test_it_goes_there_and_back(export, import_into, here_and_there, endpoint: dict[str, str], tmp_path: Path):
    here, there = here_and_there
    project_id = store_project(here, "demo", (1, 2))
    address = f"s3://{BUCKET}/{tmp_path.name}/deep"
    first = export("--out", address, of_format="parquet", **endpoint)
    assert first.stdout.endswith("2 files written, 0 unchanged\n")
    store_received(here, odd_events(project_id, 1, 3))
    again = export("--out", address, of_format="parquet", **endpoint)
    assert again.stdout.endswith("1 files written, 1 unchanged\n")
    assert import_into(source=address, **endpoint).stdout.startswith("63 events of 2 days: 63 new")
    assert all_events(there, "demo") == all_events(here, "demo")
    manifest = json.loads(ask(f"{endpoint['aws_endpoint_url']}/{BUCKET}/{tmp_path.name}/deep/manifest.json") or b"")
    assert (manifest["is_complete"], manifest["events"]) == (True, 63)


def test_it_says_what_is_wrong(export, import_into, here_and_there, endpoint: dict[str, str], tmp_path: Path):
    store_project(here_and_there[0], "demo", (1,))
    assert "NO_SUCH_BUCKET" in fails_with_one_line(export("--out", "s3://nobody/has/this", **endpoint))
    assert "this is no export" in fails_with_one_line(import_into(source=f"s3://{BUCKET}/nothing", **endpoint))
    nowhere = {"aws_endpoint_url": "http://127.0.0.1:1"}
    assert "s3://exports" in fails_with_one_line(import_into(source=f"s3://{BUCKET}/nothing", **nowhere))


def test_an_upload_that_fails_leaves_no_file(here_and_there, endpoint: dict[str, str], tmp_path: Path):
    from app.core.transfer.places import open_place

    place = open_place(f"s3://{BUCKET}/{tmp_path.name}", s3_endpoint_url=endpoint["aws_endpoint_url"])

    def write(*, fails: bool) -> None:
        with place.writing("file") as path:
            path.write_bytes(b"x" * 1_000)
            if fails:
                raise ArithmeticError

    with pytest.raises(ArithmeticError):
        write(fails=True)
    assert place.size_of("file") is None
    write(fails=False)
    assert place.size_of("file") == 1_000
    place.remove("file")
    assert place.size_of("file") is None
    place.remove("file")

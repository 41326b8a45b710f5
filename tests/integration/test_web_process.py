"""The web process as the Procfile starts it: its log, its start with wrong settings, its end."""

import http.client
import json
import os
import signal
import socket
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path

import httpx

from app.core.keys.api_key import mint_key
from tests.processes import AppProcess
from tests.waiting import wait_until

Start = Callable[..., AppProcess]


def worker_pids(process: AppProcess) -> list[int]:
    lines = log_lines(process)
    return [int(str(line["process"])) for line in lines if str(line["message"]).startswith("Booting worker")]


def log_lines(process: AppProcess) -> list[dict[str, object]]:
    return [json.loads(line) for line in process.log().splitlines()]


def send(process: AppProcess, request: bytes) -> bytes:
    with socket.create_connection(("127.0.0.1", process.port), timeout=5) as connection:
        connection.sendall(request)
        return connection.recv(65_536)


def test_every_line_of_its_log_is_json_and_no_key_or_body_is_among_them(start: Start):
    process = start("web", log_level="debug")
    key = mint_key()
    httpx.post(
        f"{process.url}/api/v1/prompts/analytics", headers={"Authorization": f"Bearer {key}"}, json={"a": "secret"}
    )
    send(process, f"GET / HTTP/1.1\r\nHost: x\r\nAuthorization Bearer {key}\r\n\r\n".encode())
    send(process, b'POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}{"a": "secret"}\r\n\r\n')
    process.stop()
    lines = log_lines(process)
    assert {"gunicorn.error"} <= {str(line["logger"]) for line in lines}
    assert any("malformed request" in str(line["message"]) for line in lines)
    assert key[8:] not in process.log()
    assert "secret" not in process.log()


def test_it_writes_no_line_for_each_request(start: Start):
    process = start("web")
    for _ in range(5):
        assert httpx.get(f"{process.url}/healthz").status_code == 200
    before = len(log_lines(process))
    assert httpx.get(f"{process.url}/no-such-page").status_code == 404
    assert len(log_lines(process)) == before


def test_its_answers_carry_the_time_of_this_second(start: Start):
    process = start("web")

    def date() -> datetime:
        return parsedate_to_datetime(httpx.get(f"{process.url}/healthz").headers["Date"])

    first = date()
    assert abs(first - datetime.now(UTC)) < timedelta(seconds=3)
    wait_until(lambda: date() > first)


def test_it_believes_no_peer_about_forwarding_by_itself(start: Start):
    process = start("web")
    answer = send(
        process,
        b"GET /dashboard HTTP/1.1\r\nHost: a.example\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Ssl: on\r\n"
        b"X-Forwarded-Protocol: ssl\r\nConnection: close\r\n\r\n",
    )
    assert b" 303 " in answer.splitlines()[0]
    assert b"https:" not in answer


def test_wrong_settings_end_it_at_once_and_are_named(start: Start):
    process = start("web", wait=False, metrics_token="short", retention_days="none")
    wait_until(lambda: process.exit_code() is not None)
    assert process.exit_code() == 1
    lines = process.log().splitlines()
    assert lines[0] == "Wrong settings in the environment:"
    assert [line.split(":")[0].strip() for line in lines[1:]] == ["METRICS_TOKEN", "RETENTION_DAYS"]


def test_it_takes_its_folder_of_counters_away_with_it(start: Start, tmp_path: Path):
    process = start("web", tmpdir=str(tmp_path))
    (folder,) = tmp_path.glob("prompt-analytics-metrics-*")
    assert httpx.get(f"{process.url}/healthz").status_code == 200
    assert list(folder.glob("*.db"))
    process.stop()
    assert not folder.exists()


def test_an_idle_connection_does_not_keep_it_from_ending(start: Start):
    process = start("web")
    connection = http.client.HTTPConnection("127.0.0.1", process.port)
    connection.request("GET", "/healthz")
    connection.getresponse().read()
    process.stop(timeout_seconds=10.0)
    connection.close()
    assert process.exit_code() == 0


def test_a_worker_process_that_dies_is_replaced_and_its_counters_stay(start: Start):
    process = start("web", web_concurrency="1")
    url = f"{process.url}/healthz"
    counted = 'prompt_analytics_requests_total{code="",endpoint="health.healthz",status="200"}'

    def count() -> float:
        lines = httpx.get(f"{process.url}/metrics", timeout=30).text.splitlines()
        return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith(counted))

    for _ in range(3):
        httpx.get(url, timeout=30)
    before = count()
    assert before >= 3
    (pid,) = worker_pids(process)
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: len(worker_pids(process)) == 2)
    httpx.get(url, timeout=30)
    assert count() == before + 1

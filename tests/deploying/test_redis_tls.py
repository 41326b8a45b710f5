"""A Redis whose certificate is of its own making, as all of Heroku's are: REDIS_TLS_VERIFY says what to make of it."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from app.core.errors import RedisNotTrusted
from app.core.redis_client import connect, redis_errors
from app.local.redis_server import RunningRedis
from tests.certificates import RedisOverTls, redis_over_tls
from tests.commands import Run, run_command
from tests.conftest import StartProcess
from tests.health import new_client, problems
from tests.processes import SECRET_KEY
from tests.waiting import wait_until

NAMES_THE_SETTING = "is not trusted (self-signed certificate): see REDIS_TLS_VERIFY"


@pytest.fixture(scope="module")
def tls_redis(redis_server: RunningRedis, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisOverTls]:
    with redis_over_tls(redis_server.port, tmp_path_factory.mktemp("tls"), password=redis_server.password) as server:
        yield server


@pytest.fixture(params=["none", "a file"])
def tls_verify(request: pytest.FixtureRequest, tls_redis: RedisOverTls) -> str:
    return "none" if request.param == "none" else str(tls_redis.certificate)


@pytest.fixture
def command(database_url: str, tls_redis: RedisOverTls) -> Run:
    servers = {"database_url": database_url, "redis_url": tls_redis.url, "secret_key": SECRET_KEY}
    return lambda *arguments, **settings: run_command(*arguments, **servers | settings)


def test_an_event_goes_all_the_way(
    start: StartProcess, tls_redis: RedisOverTls, tls_verify: str, command: Run, goes_through: Callable[[str], None]
) -> None:
    settings = {"redis_url": tls_redis.url, "redis_tls_verify": tls_verify}
    worker = start("worker", **settings)
    goes_through(start("web", web_concurrency="1", **settings).url)
    assert "out of reach" not in worker.log()
    status = command("status", redis_tls_verify=tls_verify)
    assert (status.exit_code, status.stderr) == (0, "")


def test_without_the_setting_each_process_refuses_and_names_it(
    start: StartProcess, tls_redis: RedisOverTls, goes_through: Callable[[str], None]
) -> None:
    worker = start("worker", redis_url=tls_redis.url)
    web = start("web", redis_url=tls_redis.url, web_concurrency="1")
    with pytest.raises(AssertionError, match="503"):
        goes_through(web.url)
    for process in (web, worker):
        wait_until(lambda log=process.log: NAMES_THE_SETTING in log())  # type: ignore[misc]
        assert "docs/runbook.md#redis_certificate" in process.log()


def test_without_the_setting_readiness_and_commands_name_it(
    database_url: str, tls_redis: RedisOverTls, command: Run
) -> None:
    client = new_client(database_url, tls_redis.url)
    assert "See REDIS_TLS_VERIFY." in problems(client)["redis"]
    said = command("status")
    assert said.exit_code == 1
    assert f"{NAMES_THE_SETTING} (see docs/runbook.md#redis_certificate)" in said.output


def refusal_of(url: str, tls_verify: str) -> str:
    with connect(url, timeout_seconds=5, tls_verify=tls_verify) as client:
        with pytest.raises(RedisNotTrusted) as refused, redis_errors():
            client.ping()
        return str(refused.value)


def test_a_file_is_no_leave_for_the_certificate_of_another_host(redis_server: RunningRedis, tmp_path: Path) -> None:
    with redis_over_tls(redis_server.port, tmp_path, certified_host="elsewhere.example") as server:
        assert "Hostname mismatch" in refusal_of(server.url, str(server.certificate))


def test_a_file_is_no_leave_for_the_certificate_of_another_authority(
    tls_redis: RedisOverTls, redis_server: RunningRedis, tmp_path: Path
) -> None:
    with redis_over_tls(redis_server.port, tmp_path) as other:
        assert NAMES_THE_SETTING in refusal_of(tls_redis.url, str(other.certificate))


def test_what_the_url_itself_says_of_certificates_still_holds(tls_redis: RedisOverTls) -> None:
    with connect(f"{tls_redis.url}?ssl_cert_reqs=none", timeout_seconds=5) as client:
        assert client.ping()

"""Real PostgreSQL and Redis, one of each for a run of the tests; they end with it, even if it is killed."""

import os
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from app.core.migrations import migrate
from app.local.children import Guard
from app.local.postgres import RunningPostgres, start_postgres
from app.local.redis_server import RunningRedis, start_redis
from app.local.servers import RunningServer
from chaos.redis_cluster import RunningCluster
from tests.databases import empty_redis, empty_tables
from tests.processes import AppProcess, app_environment, start_process

# httpx reads all certificates of its bundle for each client, 25 ms every time; here is none, and no test needs one.
os.environ.pop("SSL_CERT_FILE", None)
os.environ["SSL_CERT_DIR"] = str(Path(__file__).parent)

# A busy machine is no fault of the code: no test is timed, and none is given up because drawing its examples took long.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")

# Playwright has no wheels for some systems.
collect_ignore = [] if find_spec("playwright") else ["browser"]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--wheels-only",
        action="store_true",
        help="run PostgreSQL and Redis from the development wheels although the system has its own",
    )
    parser.addoption(
        "--postgres",
        type=Path,
        help="the folder with the programs of the PostgreSQL to test with, such as /usr/lib/postgresql/14/bin",
    )
    parser.addoption(
        "--require-browser",
        action="store_true",
        help="fail the browser tests where there is no Chromium, instead of skipping them",
    )

    parser.addoption(
        "--clean-install",
        metavar="PYTHON",
        nargs="?",
        const="found",
        help="also run the steps of the Dockerfile in a clean folder, and what they make: with each Python that is"
        " found, or with this one; a minute or two for each",
    )


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Where several processes take one file after the other: a file of each folder in turn.

    So the few folders whose tests take long come early, but never all at once, and short tests are left for the end.
    """
    if not hasattr(config, "workerinput"):
        return
    turns: Counter[str] = Counter()
    turn_of: dict[Path, int] = {}
    for item in items:
        if item.path not in turn_of:
            folder = item.path.relative_to(Path(__file__).parent).parts[0]
            turn_of[item.path] = turns[folder]
            turns[folder] += 1
    items.sort(key=lambda item: turn_of[item.path])


@pytest.fixture(scope="session")
def wheels_only(request: pytest.FixtureRequest) -> bool:
    return bool(request.config.getoption("--wheels-only"))


@pytest.fixture(scope="session")
def server_folder() -> Iterator[Path]:
    """Where servers and processes keep their data and logs."""
    folder = Path(tempfile.mkdtemp(prefix="prompt-analytics-tests-"))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def guard(server_folder: Path) -> Iterator[Guard]:
    """Starts processes that end with the tests, whatever happens."""
    with Guard() as guard:
        yield guard


@pytest.fixture(scope="session")
def shared_servers() -> list[RunningServer]:
    """Those that have been started so far."""
    return []


@pytest.fixture(autouse=True)
def servers_that_run(shared_servers: list[RunningServer]) -> Iterator[None]:
    """Whatever a test does to them, the next one finds them at work, in whichever file it is."""
    yield
    for server in shared_servers:
        if server.exit_code() is not None:
            server.restart()


@pytest.fixture(scope="session")
def postgres(
    request: pytest.FixtureRequest,
    server_folder: Path,
    guard: Guard,
    *,
    shared_servers: list[RunningServer],
    wheels_only: bool,
) -> RunningPostgres:
    programs = request.config.getoption("--postgres")
    folder = server_folder / "postgres"
    server = start_postgres(folder, guard, durable=False, wheels_only=wheels_only, programs=programs)
    shared_servers.append(server)
    return server


@pytest.fixture(scope="session")
def redis_server(
    server_folder: Path, guard: Guard, *, shared_servers: list[RunningServer], wheels_only: bool
) -> RunningRedis:
    server = start_redis(server_folder / "redis", guard, wheels_only=wheels_only)
    shared_servers.append(server)
    return server


@pytest.fixture(scope="session")
def redis_cluster(server_folder: Path, guard: Guard) -> RunningCluster:
    """Three primaries, each with a replica; whoever kills one starts it again."""
    return RunningCluster(server_folder / "redis-cluster", guard)


@pytest.fixture(scope="session")
def database_url(postgres: RunningPostgres) -> str:
    """Of a database that is migrated."""
    migrate(postgres.url)
    return postgres.url


@pytest.fixture(scope="session")
def redis_url(redis_server: RunningRedis) -> str:
    return redis_server.url


@pytest.fixture
def clean_database(database_url: str) -> None:
    """Empty tables."""
    empty_tables(database_url)


@pytest.fixture
def clean_redis(redis_server: RunningRedis) -> None:
    """No keys, and the settings that the server had at its start."""
    empty_redis(redis_server.url)


@pytest.fixture(scope="session")
def fast_paths(request: pytest.FixtureRequest) -> str:
    """FAST_PATHS of web processes; tests of the API run with and without (see tests/api/conftest.py)."""
    return str(getattr(request, "param", "on"))


@pytest.fixture(scope="session")
def web_with(guard: Guard, server_folder: Path, database_url: str, redis_url: str) -> Iterator[Callable[[str], str]]:
    """The URL of the web process with these FAST_PATHS, which is started once however often tests change over."""
    started: dict[str, AppProcess] = {}

    def url_of(fast_paths: str) -> str:
        if fast_paths not in started:
            environment = app_environment(database_url, redis_url, web_concurrency="2", fast_paths=fast_paths)
            started[fast_paths] = start_process("web", guard, server_folder, environment)
        return started[fast_paths].url

    yield url_of
    for process in started.values():
        process.stop()


@pytest.fixture(scope="session")
def web(web_with: Callable[[str], str], fast_paths: str) -> str:
    """The URL of a real web process: gunicorn with two workers, as the Procfile says, with default settings."""
    return web_with(fast_paths)


StartProcess = Callable[..., AppProcess]


@pytest.fixture
def start(
    guard: Guard, tmp_path: Path, database_url: str, redis_url: str, *, fast_paths: str, request: pytest.FixtureRequest
) -> Iterator[StartProcess]:
    """Starts processes of a test's own: start("worker"), start("web", buffer_max_events="10"); they end with it.

    The report of a failed test shows what they warned of.
    """
    started = []

    def start_one(name: str, *, wait: bool = True, **settings: str) -> AppProcess:
        given = {"database_url": database_url, "redis_url": redis_url, "fast_paths": fast_paths, **settings}
        environment = app_environment(**given)
        process = start_process(name, guard, tmp_path, environment, wait=wait)
        started.append(process)
        return process

    yield start_one
    for process in started:
        process.kill()
        request.node.add_report_section("teardown", f"warnings of {process.name}", process.warnings())

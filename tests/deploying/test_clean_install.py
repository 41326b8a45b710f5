"""Each step of the Dockerfile in a clean folder, with each Python that is here; then what Procfile and Compose run.

Only with --clean-install (`make rehearse`): it installs all packages anew for each Python. What only a container
daemon can show is not shown: base images, file systems, networks, users of their own.
"""

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import httpx
import pytest
import redis

from app.local.children import Child, Guard
from app.local.ports import free_port
from app.local.postgres import RunningPostgres
from app.local.redis_server import RunningRedis
from tests.api_keys import create_key
from tests.batches import EVENT, PATH
from tests.databases import new_database
from tests.heroku import PLATFORM_SECONDS, heroku_environment, release, start_dynos
from tests.images import Image, health_check, last, services
from tests.sign_in import csrf_token
from tests.waiting import wait_until

pytestmark = pytest.mark.timeout(1_800)

NEWEST = 14
OLDEST = 11
REDIS_DATABASE = 6
START_SECONDS = 60.0
USES_PYTHON = "import ensurepip, venv"


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    asked = metafunc.config.getoption("--clean-install")
    pythons = [None] if asked is None else pythons_here() if asked == "found" else [Path(asked)]
    names = [None if path is None else path.name for path in pythons]
    metafunc.parametrize("python", pythons or [None], ids=names or [None], scope="module", indirect=True)


def pythons_here() -> list[Path]:
    """One of each minor version that we support and that can make environments."""
    versions = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    found = []
    for minor in range(OLDEST, NEWEST + 1):
        name = f"python3.{minor}"
        candidates = [*versions.glob(f"3.{minor}.*/bin/{name}"), Path(shutil.which(name) or name)]
        found += [path for path in candidates if _can_make_environments(path)][:1]
    return found


def _can_make_environments(python: Path) -> bool:
    try:
        return subprocess.run([python, "-c", USES_PYTHON], capture_output=True, check=False).returncode == 0
    except OSError:
        return False


@pytest.fixture(scope="module")
def python(request: pytest.FixtureRequest) -> Path:
    if request.param is None:
        pytest.skip("asked for by --clean-install (make rehearse), and only where there is a Python for it")
    path: Path = request.param
    return path


@pytest.fixture(scope="module")
def image(python: Path) -> Iterator[Image]:
    """In a folder that another user may look into."""
    folder = Path(tempfile.mkdtemp(prefix="prompt-analytics-image-"))
    folder.chmod(0o755)
    environment = {name: os.environ[name] for name in ("HOME", "LANG") if name in os.environ}
    built = Image(folder / "image", python, {**environment, "TMPDIR": str(folder)})
    try:
        built.build()
        yield built
    finally:
        shutil.rmtree(folder)


@pytest.fixture
def servers(postgres: RunningPostgres, redis_server: RunningRedis) -> Iterator[tuple[str, str]]:
    """The URLs of an empty database, and of a database of Redis, that nobody else uses."""
    redis_url = urlunsplit(urlsplit(redis_server.url)._replace(path=f"/{REDIS_DATABASE}"))
    with new_database(postgres.url) as database_url:
        yield database_url, redis_url
    with redis.Redis.from_url(redis_url) as client:
        client.flushdb()


def goes_through(url: str, database_url: str) -> None:
    headers = {"Authorization": f"Bearer {create_key(database_url, scopes=['ingest', 'read'])}"}
    with httpx.Client(base_url=url, headers=headers, timeout=30) as client:
        assert client.post(PATH, json=EVENT).status_code == 204
        wait_until(lambda: client.get(PATH).json()["data"]["totals"]["events"] == 1, START_SECONDS)


def test_the_procfile_runs_on_what_is_installed_for_production(
    image: Image, servers: tuple[str, str], guard: Guard, tmp_path: Path
) -> None:
    environment = {**heroku_environment(*servers), "PATH": image.environment["PATH"]}
    release(guard, environment, image.working_folder())
    dynos = start_dynos(guard, tmp_path, environment, image.working_folder())
    goes_through(dynos.url, servers[0])
    programs = {Path(process.exe()).name for process in dynos.processes() if "honcho" not in process.cmdline()}
    dynos.terminate()
    assert Path(os.path.realpath(image.python)).name in programs


Container = Callable[..., Child]


@pytest.fixture
def container(image: Image, servers: tuple[str, str], guard: Guard, tmp_path: Path) -> Iterator[Container]:
    """Starts a service of compose.yaml on the servers of the tests, as the user of the image where that can be."""
    started = []

    def start(name: str, **environment: str) -> Child:
        service = services()[name]
        command = [image.inside(word) for word in service.get("command", last("CMD").words())]
        child = guard.start(
            [*as_its_user(image), *command],
            log_path=tmp_path / f"{name}.log",
            environment={**environment_of(image, service, servers), **environment},
            cwd=image.working_folder(),
        )
        started.append(child)
        return child

    yield start
    for child in started:
        child.kill()


def environment_of(image: Image, service: dict[str, Any], servers: tuple[str, str]) -> dict[str, str]:
    given = {name: image.inside(value) for name, value in service["environment"].items()}
    return {**image.environment, **given, "DATABASE_URL": servers[0], "REDIS_URL": servers[1]}


def as_its_user(image: Image) -> list[str]:
    """What becomes that user, where we may and the user may run this Python."""
    user, group = last("USER").text.split(":")
    command = ["setpriv", f"--reuid={user}", f"--regid={group}", "--clear-groups"]
    try:
        done = subprocess.run([*command, image.python, "-c", ""], capture_output=True, check=False)
    except FileNotFoundError:
        return []
    return command if done.returncode == 0 else []


def ended(child: Child, seconds: float = START_SECONDS) -> int | None:
    wait_until(lambda: child.exit_code() is not None, seconds)
    return child.exit_code()


def test_compose_runs_it_all_and_prints_the_first_sign_in(
    image: Image, container: Container, servers: tuple[str, str], tmp_path: Path
) -> None:
    log = tmp_path / "release.log"
    assert ended(container("release")) == 0, log.read_text()
    secret = Path(image.inside("/var/lib/prompt-analytics/secret-key"))
    first, kept = log.read_text(), secret.read_text()
    assert ended(container("release")) == 0
    assert "there are users already" in log.read_text().removeprefix(first)
    assert secret.read_text() == kept
    assert secret.stat().st_mode & 0o077 == 0

    port = str(free_port())
    url = f"http://127.0.0.1:{port}"
    asks = [image.inside(word) for word in health_check()]
    with pytest.raises(AssertionError, match="ConnectionRefusedError"):
        image.run(asks, PORT=port)
    web, worker = container("web", PORT=port), container("worker")
    wait_until(lambda: answers(url), START_SECONDS)
    image.run(asks, PORT=port)
    goes_through(url, servers[0])
    sign_in(url, first)
    for child in (web, worker):
        os.kill(child.pid, signal.SIGTERM)
    assert [ended(child, PLATFORM_SECONDS) for child in (web, worker)] == [0, 0]


def answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/readyz", timeout=10).status_code == httpx.codes.OK
    except httpx.TransportError:
        return False


def sign_in(url: str, printed: str) -> None:
    """By the last words that the release printed; the dashboard must open."""
    email, password = printed.split()[-2:]
    with httpx.Client(base_url=url, timeout=30) as client:
        token = csrf_token(client, "/login")
        client.post("/login", data={"csrf_token": token, "email": email, "password": password})
        assert client.get("/dashboard", follow_redirects=True).url.path == "/dashboard"

"""The Dockerfile and compose.yaml, as far as they can be held against something without a container daemon.

tests/deploying/test_clean_install.py runs their steps and commands.
"""

import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from app.core.operations.redis_settings import redis_info, settings_of, settings_problem
from app.core.redis_client import connect
from app.local.binaries import find_redis
from app.local.children import REPOSITORY, Guard
from app.local.ports import free_port
from app.local.procfile import read_procfile
from config.settings import Settings, load_settings
from tests.images import health_check, instructions, is_ignored, last, services
from tests.waiting import wait_until

OURS = ("release", "web", "worker")


def test_the_linter_of_dockerfiles_finds_nothing() -> None:
    hadolint = Path(sys.executable).with_name("hadolint")
    if not hadolint.exists():
        pytest.skip("there is no hadolint here: its wheels are for Linux on x86_64 and ARM, and macOS")
    done = subprocess.run([str(hadolint), str(REPOSITORY / "Dockerfile")], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")


def test_the_image_runs_web_as_the_procfile_does_and_nobody_as_root() -> None:
    assert last("CMD").words() == shlex.split(read_procfile()["web"])
    user, _, group = last("USER").text.partition(":")
    # by number, so that an orchestrator sees that it is not root
    assert int(user) > 0
    assert int(group) > 0
    assert "/healthz" in health_check()[-1]


def test_what_is_installed_is_pinned_by_hashes() -> None:
    (install,) = [step.words() for step in instructions() if "install" in step.words() and "-r" in step.words()]
    assert {"--require-hashes", "--only-binary=:all:"} <= set(install)
    assert install[-1] == "requirements.txt"


@pytest.mark.parametrize(
    "path", [".git/config", ".local/redis/redis.conf", ".venv/bin/x", ".env", "tests/conftest.py", "app/__pycache__"]
)
def test_no_data_no_secrets_and_no_tests_get_into_the_image(path: str) -> None:
    assert is_ignored(path)


def test_all_that_runs_gets_into_the_image() -> None:
    copied = {source for step in instructions() if step.name == "COPY" for source in step.operands()[:-1]}
    assert copied >= {"app", "config", "worker", "docs", "requirements.txt"}
    assert not any(is_ignored(source) for source in copied if not source.startswith("/"))


def test_compose_itself_finds_no_fault() -> None:
    compose = next((each for each in (["docker", "compose"], ["docker-compose"]) if _works(each)), None)
    if compose is None:
        pytest.skip("there is no Compose on this machine (Debian: docker-compose)")
    command = [*compose, "-f", str(REPOSITORY / "compose.yaml"), "config", "--quiet"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def _works(command: list[str]) -> bool:
    try:
        return subprocess.run([*command, "version"], capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        return False


def test_compose_runs_what_the_procfile_runs_from_one_image() -> None:
    ours = {name: each for name, each in services().items() if "build" in each}
    assert set(ours) == set(OURS) == set(read_procfile())
    assert len({each["image"] for each in ours.values()}) == 1
    assert "command" not in ours["web"]
    assert ours["worker"]["command"] == shlex.split(read_procfile()["worker"])
    assert read_procfile()["release"] in ours["release"]["command"][-1]
    for name in ("web", "worker"):
        assert ours[name]["depends_on"]["release"] == {"condition": "service_completed_successfully"}
        assert ours[name]["restart"] == "unless-stopped"
        assert ours[name]["stop_grace_period"] == "30s"
    # the image's health check asks web
    assert [name for name in OURS if ours[name].get("healthcheck") == {"disable": True}] == ["release", "worker"]


def test_compose_gives_good_settings_and_no_other() -> None:
    for name in OURS:
        given = services()[name]["environment"]
        loaded = load_settings({**given, "SECRET_KEY": "s" * 32})
        assert [each for each in given if not hasattr(loaded, each.lower())] == ["SECRET_KEY_FILE"]


def test_compose_keeps_data_in_volumes_and_servers_to_itself() -> None:
    for name in ("postgres", "redis"):
        server = services()[name]
        assert "ports" not in server
        assert [volume.partition(":")[0] for volume in server["volumes"]] == [name]
        assert server["healthcheck"]["test"][0] == "CMD"
        assert ":" in server["image"]
        assert not server["image"].endswith(":latest")
    assert services()["web"]["ports"] == ["127.0.0.1:8000:8000"]


@pytest.fixture
def composed_redis(guard: Guard, tmp_path: Path, *, wheels_only: bool) -> Iterator[redis.Redis]:
    """A Redis with the arguments of compose.yaml."""
    port = free_port()
    _, *arguments = services()["redis"]["command"]
    command = [str(find_redis(wheels_only=wheels_only).path), *arguments, "--port", str(port), "--dir", str(tmp_path)]
    child = guard.start(command, log_path=tmp_path / "redis.log", cwd=tmp_path)
    with connect(f"redis://127.0.0.1:{port}") as client:
        wait_until(lambda: _answers(client))
        yield client
    child.kill()


def _answers(client: redis.Redis) -> bool:
    try:
        return bool(client.ping())
    except redis.RedisError:
        return False


def test_the_redis_of_compose_has_the_right_settings(composed_redis: redis.Redis) -> None:
    info = redis_info(composed_redis)
    settings = settings_of(info)
    assert settings_problem(settings) is None
    assert settings["appendfsync"].value == "always"
    assert info["maxmemory"] >= 250 * settings_of_web().buffer_max_events
    assert composed_redis.config_get("save") == {"save": ""}


def settings_of_web() -> Settings:
    return load_settings({**services()["web"]["environment"], "SECRET_KEY": "s" * 32})

"""Which `make run` runs here: its note, its lock, its secrets."""

import json
import os

import pytest

from app.local.errors import CannotRun
from app.local.running import locked, running_environment, write_secret


def test_secrets_are_for_their_owner_only_and_are_replaced_whole(tmp_path):
    path = tmp_path / "secret"
    path.write_text("an older one, much longer")
    path.chmod(0o644)
    write_secret(path, "new")
    assert path.read_text() == "new"
    assert path.stat().st_mode & 0o777 == 0o600


def test_running_environment_is_none_without_a_run_or_for_one_that_has_died(tmp_path):
    assert running_environment(tmp_path) is None
    running = {"database_url": "postgresql://x", "redis_url": "redis://x", "secret_key": "s", "port": 1, "pid": 2}
    (tmp_path / "running.json").write_text(json.dumps(running))
    assert running_environment(tmp_path) is None
    with locked(tmp_path):
        assert running_environment(tmp_path) == {
            "DATABASE_URL": "postgresql://x",
            "REDIS_URL": "redis://x",
            "SECRET_KEY": "s",
            "PORT": "1",
        }
    assert running_environment(tmp_path) is None


@pytest.mark.parametrize("damage", ["", "{", "[]", '{"pid": 1}'])
def test_a_damaged_note_counts_as_no_run(tmp_path, damage):
    (tmp_path / "running.json").write_text(damage)
    with locked(tmp_path):
        assert running_environment(tmp_path) is None


def test_a_folder_is_for_one_run_at_a_time(tmp_path):
    with locked(tmp_path), pytest.raises(CannotRun, match=f"another .*process {os.getpid()}"), locked(tmp_path):
        pass
    with locked(tmp_path):
        pass

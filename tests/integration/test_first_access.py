"""The first key and the first sign-in of `make run`."""

from pathlib import Path

import pytest

from app.local.children import Guard
from app.local.first_access import first_access
from app.local.ports import free_port
from tests.api_keys import create_key
from tests.commands import select
from tests.processes import app_environment

SELECT_PROJECTS = """
SELECT email, name FROM memberships JOIN users ON users.id = user_id JOIN projects ON projects.id = project_id
"""

pytestmark = pytest.mark.usefixtures("clean_database", "clean_redis")


def test_the_first_sign_in_is_of_the_first_keys_project_whatever_others_made_meanwhile(
    guard: Guard, tmp_path: Path, database_url: str, redis_url: str
):
    create_key(database_url, project="made in between")
    made = first_access(tmp_path, guard, app_environment(database_url, redis_url), free_port(), own_database=True)
    assert select(database_url, SELECT_PROJECTS) == [(made.email, "demo")]
    assert select(database_url, "SELECT count(*) FROM projects") == [(2,)]

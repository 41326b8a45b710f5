"""app.json, by what Heroku documents of its fields, and by what it is to set up here.

https://devcenter.heroku.com/articles/app-json-schema
"""

import re
import subprocess
from typing import Any

import jsonschema_rs
import pytest

from app.local.children import REPOSITORY
from app.local.procfile import read_procfile
from app.web.pages.dashboard.raw_events import DOWNLOADS_AT_ONCE
from config.settings import load_settings
from tests.heroku import app_json
from worker.__main__ import BUFFER_CONNECTIONS, QUEUE_CONNECTIONS, STORE_CONNECTIONS
from worker.news.desk import CONNECTIONS as NEWS_CONNECTIONS

WORDS: dict[str, Any] = {"type": "string", "minLength": 1}
SCHEMA: dict[str, Any] = {
    "type": "object",
    "additionalProperties": False,
    "properties": {
        "name": {**WORDS, "maxLength": 30},
        "description": WORDS,
        "keywords": {"type": "array", "items": WORDS},
        "stack": {"enum": ["heroku-22", "heroku-24", "container"]},
        "buildpacks": {
            "type": "array",
            "items": {
                "type": "object",
                "additionalProperties": False,
                "required": ["url"],
                "properties": {"url": WORDS},
            },
        },
        "addons": {
            "type": "array",
            "items": {
                "type": "object",
                "additionalProperties": False,
                "required": ["plan"],
                "properties": {
                    "plan": {"type": "string", "pattern": "^[a-z0-9-]+(:[a-z0-9-]+)?$"},
                    "as": {"type": "string", "pattern": "^[A-Z][A-Z0-9_]*$"},
                    "options": {"type": "object"},
                },
            },
        },
        "formation": {
            "type": "object",
            "additionalProperties": {
                "type": "object",
                "additionalProperties": False,
                "required": ["quantity"],
                "properties": {
                    "quantity": {"type": "integer", "minimum": 0},
                    "size": {"enum": ["eco", "basic", "standard-1x", "standard-2x", "performance-m", "performance-l"]},
                },
            },
        },
        "env": {
            "type": "object",
            "propertyNames": {"pattern": "^[A-Z][A-Z0-9_]*$"},
            "additionalProperties": {
                "type": "object",
                "additionalProperties": False,
                "required": ["description"],
                "properties": {
                    "description": WORDS,
                    "value": {"type": "string"},
                    "required": {"type": "boolean"},
                    "generator": {"const": "secret"},
                },
            },
        },
        "scripts": {
            "type": "object",
            "additionalProperties": False,
            "properties": {"postdeploy": WORDS, "pr-predestroy": WORDS},
        },
        "success_url": {"type": "string", "pattern": "^/"},
    },
}
SERVERS = {"DATABASE_URL": "postgres://u:p@db/pa", "REDIS_URL": "rediss://:p@cache:6379"}
PERSISTENT_REDIS = re.compile(r"heroku-redis:(premium|private|shield)-\d+")
OF_THE_POSTGRESQL_PLAN, OF_A_REDIS_PLAN = 20, 20


def settings_of_a_deploy() -> dict[str, str]:
    """A secret that the platform makes has 64 characters."""
    env = app_json()["env"]
    made = {name: "5" * 64 for name, entry in env.items() if entry.get("generator") == "secret"}
    return {**SERVERS, **made, **{name: entry["value"] for name, entry in env.items() if "value" in entry}}


def test_it_is_what_the_platform_documents() -> None:
    jsonschema_rs.validate(SCHEMA, app_json())


@pytest.mark.parametrize("wrong", [{"addon": []}, {"env": {"A": {"value": 5}}}, {"formation": {"web": {}}}])
def test_the_schema_finds_mistakes(wrong: dict[str, Any]) -> None:
    with pytest.raises(jsonschema_rs.ValidationError):
        jsonschema_rs.validate(SCHEMA, {**app_json(), **wrong})


def test_its_values_are_settings_and_good_ones() -> None:
    given = settings_of_a_deploy()
    loaded = load_settings(given)
    for name in app_json()["env"]:
        assert hasattr(loaded, name.lower())
    assert (loaded.redis_tls_verify, loaded.trusted_proxy_count) == ("none", 1)


def test_it_scales_what_the_procfile_runs() -> None:
    assert set(app_json()["formation"]) == set(read_procfile()) - {"release"}
    assert read_procfile()["release"] == "python -m app migrate"


def test_its_redis_keeps_what_it_has_and_has_room_for_the_buffer() -> None:
    plans = [addon["plan"] for addon in app_json()["addons"]]
    assert any(plan.startswith("heroku-postgresql:") for plan in plans)
    assert any(PERSISTENT_REDIS.fullmatch(plan) for plan in plans)
    assert load_settings(settings_of_a_deploy()).buffer_max_events * 250 <= 25_000_000


def test_after_the_first_deploy_it_says_how_to_make_the_first_user() -> None:
    said = subprocess.run(["sh", "-c", app_json()["scripts"]["postdeploy"]], capture_output=True, text=True, check=True)
    assert "python -m app users first --email " in said.stdout


def test_its_pools_stay_within_the_connections_of_the_plans() -> None:
    loaded = load_settings(settings_of_a_deploy())
    dynos = {name: one["quantity"] for name, one in app_json()["formation"].items()}
    web = dynos["web"] * loaded.web_concurrency
    postgresql = web * (loaded.database_pool_size + DOWNLOADS_AT_ONCE)
    postgresql += dynos["worker"] * (STORE_CONNECTIONS + NEWS_CONNECTIONS)
    redis = web * (loaded.redis_pool_size + 1) + dynos["worker"] * (BUFFER_CONNECTIONS + QUEUE_CONNECTIONS)
    assert (postgresql, redis) == (15, 18)
    assert postgresql < OF_THE_POSTGRESQL_PLAN
    assert redis < OF_A_REDIS_PLAN
    env, told = app_json()["env"], (REPOSITORY / "docs/deploying.md").read_text()
    assert "a worker: 15 of 20." in env["DATABASE_POOL_SIZE"]["description"]
    assert "a worker: 18 of " in env["REDIS_POOL_SIZE"]["description"]
    for sum_of_all in ("(4 + 2) + 3 = 15", "(4 + 1) + 8 = 18"):
        assert sum_of_all in told


def test_all_name_the_same_python_which_is_tested() -> None:
    version = (REPOSITORY / ".python-version").read_text().strip()
    assert re.fullmatch(r"3\.\d+", version)
    bases = re.findall(r"^FROM (\S+)", (REPOSITORY / "Dockerfile").read_text(), re.MULTILINE)
    assert {re.split("[:-]", base)[1] for base in bases} == {version}
    assert f'"{version}"' in (REPOSITORY / ".github/workflows/ci.yaml").read_text()

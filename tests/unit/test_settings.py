import re
from dataclasses import FrozenInstanceError, fields
from pathlib import Path

import pytest

from app.core.stream.streams import MOST_STREAMS
from config.settings import Settings, SettingsError, check_rate_limit, load_settings

OPERATIONS = Path(__file__).parents[2] / "docs/operations.md"
NEEDED = {"DATABASE_URL": "postgres://user:pw@db/pa", "REDIS_URL": "redis://cache", "SECRET_KEY": "k" * 32}
BAD = {
    "DATABASE_URL": ["mysql://user:pw@db/pa", "postgres:pw", "postgres://", "db"],
    "REDIS_URL": ["http://cache", "redis://", "cache:6379"],
    "REDIS_TLS_VERIFY": ["optional", "NONE", "/no/such/file.pem", __file__],
    "REDIS_CLUSTER": ["perhaps"],
    "QUEUE_REDIS_URL": ["http://cache", "redis://"],
    "BUFFER_STREAMS": ["0", "33", "many"],
    "SECRET_KEY": ["k" * 31],
    "PORT": ["0", "65536", "http", "8000.5"],
    "WEB_CONCURRENCY": ["0", "-1", "two"],
    "LOG_LEVEL": ["loud", "10"],
    "DEFAULT_RATE_LIMIT": ["fast", "0/minute", "10", "10/minute;1/second", "99999999999/minute", "1/99999999 year"],
    "BUFFER_MAX_EVENTS": ["0", "1e6"],
    "IDEMPOTENCY_WINDOW_SECONDS": ["0", "86401"],
    "RETENTION_DAYS": ["0", "-3"],
    "TRUSTED_PROXY_COUNT": ["-1", "yes"],
    "DATABASE_DIRECT_URL": ["mysql://db/pa", "db"],
    "DATABASE_READ_URL": ["redis://db/pa", "replica"],
    "PUBLIC_URL": ["analytics.example.org", "ftp://a", "https://", "https://a/b", "https://u@a", "https://a:b", "//a"],
    "METRICS_TOKEN": ["short"],
    "WEBHOOK_PRIVATE_ADDRESSES": ["yes", "Allow"],
    "WEBHOOK_HTTP": ["on"],
    "DATABASE_POOL_SIZE": ["0"],
    "REDIS_POOL_SIZE": ["0"],
    "MAX_NEW_VERSIONS_PER_PROMPT": ["0", "1000001", "many"],
    "MAX_NEW_PROMPTS_PER_PROJECT": ["0", "1000001"],
    "WORKER_NAME": ["w" * 129],
    "FAST_PATHS": ["perhaps"],
    "AWS_ENDPOINT_URL": ["minio.example.org", "s3://bucket", "https://"],
}


def test_it_needs_nothing_but_the_servers_and_the_secret():
    settings = load_settings(NEEDED)
    assert (settings.port, settings.web_concurrency, settings.retention_days) == (8000, 2, 90)
    assert settings.metrics_token is None


def test_the_queue_is_in_the_same_redis_unless_that_is_a_cluster():
    assert load_settings(NEEDED).queue_redis_url == NEEDED["REDIS_URL"]
    assert load_settings({**NEEDED, "REDIS_CLUSTER": "on"}).queue_redis_url is None
    apart = {**NEEDED, "REDIS_CLUSTER": "on", "QUEUE_REDIS_URL": "redis://queue"}
    assert load_settings(apart).queue_redis_url == "redis://queue"


def test_it_reads_as_many_streams_as_readers_look_for():
    assert load_settings({**NEEDED, "BUFFER_STREAMS": str(MOST_STREAMS)}).buffer_streams == MOST_STREAMS


def test_it_names_every_missing_setting_at_once():
    with pytest.raises(SettingsError) as raised:
        load_settings({})
    lines = str(raised.value).splitlines()
    assert [line.split(":")[0].strip() for line in lines[1:]] == ["DATABASE_URL", "REDIS_URL", "SECRET_KEY"]


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, values in BAD.items() for value in values])
def test_it_refuses_a_bad_value(name: str, value: str):
    with pytest.raises(SettingsError) as raised:
        load_settings({**NEEDED, name: value})
    lines = str(raised.value).splitlines()
    assert len(lines) == 2
    assert lines[1].startswith(f"  {name}: ")


def test_it_never_repeats_a_value_that_may_be_secret():
    bad = {
        "DATABASE_URL": "hunter2@db",
        "REDIS_URL": "hunter2@cache",
        "SECRET_KEY": "hunter2",
        "METRICS_TOKEN": "hunter2",
    }
    with pytest.raises(SettingsError) as raised:
        load_settings(bad)
    assert "hunter2" not in str(raised.value)
    assert raised.value.__cause__ is None
    assert raised.value.__suppress_context__


def test_it_reports_all_bad_values_together():
    with pytest.raises(SettingsError) as raised:
        load_settings({**NEEDED, **{name: values[0] for name, values in BAD.items()}})
    assert len(str(raised.value).splitlines()) == 1 + len(BAD)


def test_every_setting_has_a_bad_value_in_these_tests():
    assert set(BAD) == {field.name.upper() for field in fields(Settings)}


@pytest.mark.parametrize("url", ["postgres://u@h/d", "postgresql://u:p@h:5433/d?sslmode=require"])
def test_it_takes_both_names_of_postgresql(url: str):
    assert load_settings({**NEEDED, "DATABASE_URL": url}).database_url == url


def test_it_takes_redis_over_tls():
    assert load_settings({**NEEDED, "REDIS_URL": "rediss://:pw@h:6380/0"}).redis_url.startswith("rediss://")


def test_an_empty_variable_counts_as_one_that_is_not_set():
    settings = load_settings({**NEEDED, "PORT": "", "METRICS_TOKEN": ""})
    assert (settings.port, settings.metrics_token) == (8000, None)


def test_the_secret_may_be_in_a_file(tmp_path: Path):
    path = tmp_path / "secret"
    path.write_text("f" * 32 + "\n")
    without = {**NEEDED, "SECRET_KEY": ""}
    assert load_settings({**without, "SECRET_KEY_FILE": str(path)}).secret_key == "f" * 32
    assert load_settings({**NEEDED, "SECRET_KEY_FILE": str(path)}).secret_key == NEEDED["SECRET_KEY"]
    with pytest.raises(SettingsError, match=r"  SECRET_KEY_FILE: Cannot be read\.$"):
        load_settings({**without, "SECRET_KEY_FILE": str(tmp_path / "none")})
    path.write_text("short")
    with pytest.raises(SettingsError, match=r"  SECRET_KEY: Must have"):
        load_settings({**without, "SECRET_KEY_FILE": str(path)})


def test_the_log_level_may_be_in_capitals():
    assert load_settings({**NEEDED, "LOG_LEVEL": "WARNING"}).log_level == "warning"


def test_a_worker_is_named_after_its_setting_else_its_dyno_else_its_host(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("socket.gethostname", lambda: "host-1")
    assert load_settings({**NEEDED, "DYNO": "worker.1", "WORKER_NAME": "mine"}).worker_name == "mine"
    assert load_settings({**NEEDED, "DYNO": "worker.1"}).worker_name == "worker.1"
    assert load_settings(NEEDED).worker_name == "host-1"


def test_no_secret_is_in_the_repr():
    settings = load_settings({**NEEDED, "METRICS_TOKEN": "t" * 32})
    for secret in (*NEEDED.values(), "t" * 32):
        assert secret not in repr(settings)


def test_settings_cannot_be_changed():
    settings = load_settings(NEEDED)
    with pytest.raises(FrozenInstanceError):
        settings.port = 1  # type: ignore[misc]  # which is the point


def test_the_servers_of_a_make_run_stand_in_for_a_missing_database():
    local = {"DATABASE_URL": "postgres://local/pa", "REDIS_URL": "redis://local", "SECRET_KEY": "l" * 32}
    assert load_settings({}, local=local).database_url == "postgres://local/pa"
    # never one's database with another's buffer
    assert load_settings({"REDIS_URL": "redis://elsewhere"}, local=local).redis_url == "redis://local"
    elsewhere = load_settings(
        {"DATABASE_DIRECT_URL": "postgres://elsewhere/pa", "DATABASE_READ_URL": "postgres://elsewhere/pa"}, local=local
    )
    assert (elsewhere.database_direct_url, elsewhere.database_read_url) == ("postgres://local/pa", None)
    assert load_settings(NEEDED, local=local).redis_url == NEEDED["REDIS_URL"]
    strange = load_settings({"REDIS_CLUSTER": "on", "QUEUE_REDIS_URL": "redis://elsewhere"}, local=local)
    assert (strange.redis_cluster, strange.queue_redis_url) == (False, "redis://local")


def test_the_direct_way_to_the_database_is_the_usual_one_unless_another_is_set():
    assert load_settings(NEEDED).database_direct_url == NEEDED["DATABASE_URL"]
    direct = "postgres://user:pw@direct/pa"
    assert load_settings({**NEEDED, "DATABASE_DIRECT_URL": direct}).database_direct_url == direct


@pytest.mark.parametrize("limit", ["600/minute", "10 per second", "100/2 hour"])
def test_a_rate_limit_is_taken_as_it_is_written(limit: str):
    assert check_rate_limit(limit) == limit


def test_the_documentation_lists_every_setting_with_its_default():
    documented = dict(re.findall(r"^\| `([A-Z_]+)` \| ([^|]*?) \|", OPERATIONS.read_text(), re.MULTILINE))
    settings = load_settings(NEEDED)
    expected = {}
    for field in fields(Settings):
        value = getattr(settings, field.name)
        expected[field.name.upper()] = {"None": "none", "True": "on", "False": "off"}.get(str(value), str(value))
    expected |= dict.fromkeys(NEEDED, "required")
    expected["DATABASE_DIRECT_URL"] = "`DATABASE_URL`"
    expected["QUEUE_REDIS_URL"] = "`REDIS_URL`, with a cluster none"
    expected["WORKER_NAME"] = "`DYNO` or the host's name"
    assert documented == expected


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("https://analytics.example.org", "https://analytics.example.org"),
        ("https://Analytics.example.org:443/", "https://analytics.example.org"),
        ("http://localhost:8000", "http://localhost:8000"),
        ("http://[::1]:80/", "http://[::1]"),
    ],
)
def test_the_public_url_is_kept_in_one_form(given: str, kept: str):
    assert load_settings({**NEEDED, "PUBLIC_URL": given}).public_url == kept

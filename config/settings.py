"""Settings: the one reader of the environment. docs/operations.md lists what each means."""

import os
import re
import socket
import ssl
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import environs
import limits
from environs import validate

LOG_LEVELS = ("debug", "info", "warning", "error", "critical")
SHORTEST_SECRET = 32
MAX_NEW_PER_DAY = 1_000_000
"""So many prompts or versions would be looked through with each batch that has a new one."""
ALLOW = "allow"
REFUSE = "refuse"
MOST_STREAMS = 32
"""As in app.core.stream.streams."""
_ORIGIN = re.compile(r"https?://[a-z0-9.\-_:\[\]]+/?", re.ASCII | re.IGNORECASE)
MAX_COUNT = 2**31 - 1
"""What PostgreSQL, Redis and the libraries all hold in 32 bits. As `MAX_INTEGER` of app.core.database: config imports
nothing of the app, and the core no config."""


class SettingsError(Exception):
    """The environment is not what it should be. The message has one line for each wrong setting, and no value."""


@dataclass(frozen=True, slots=True)
class Settings:
    """One field for each variable, which has the field's name in capitals. Values with secrets are not in the repr."""

    database_url: str = field(repr=False)
    database_direct_url: str = field(repr=False)
    database_read_url: str | None = field(repr=False)
    redis_url: str = field(repr=False)
    redis_tls_verify: str
    redis_cluster: bool
    queue_redis_url: str | None = field(repr=False)
    buffer_streams: int
    secret_key: str = field(repr=False)
    port: int
    web_concurrency: int
    log_level: str
    default_rate_limit: str
    buffer_max_events: int
    idempotency_window_seconds: int
    retention_days: int
    max_new_versions_per_prompt: int
    max_new_prompts_per_project: int
    trusted_proxy_count: int
    public_url: str | None
    metrics_token: str | None = field(repr=False)
    webhook_private_addresses: str
    webhook_http: str
    database_pool_size: int
    redis_pool_size: int
    worker_name: str
    aws_endpoint_url: str | None
    fast_paths: bool


class _MappingEnv(environs.Env):
    """Reads a mapping; an empty variable counts as one that is not set."""

    def __init__(self, values: Mapping[str, str]) -> None:
        super().__init__(eager=False)
        self._mapping = values

    def _get_value(self, env_key: str, default: Any) -> Any:
        return self._mapping.get(env_key) or default


def load_settings(env: Mapping[str, str] | None = None, *, local: Mapping[str, str] | None = None) -> Settings:
    """Read and check all settings; `env` stands in for the environment.

    `local` (servers and port of a running `make run`) counts only where DATABASE_URL is not set, and then wins over the
    environment, so that one's database is never used with another's buffer. Raises SettingsError.
    """
    values = os.environ if env is None else env
    if local is not None and not values.get("DATABASE_URL"):
        strange = ("DATABASE_DIRECT_URL", "DATABASE_READ_URL", "REDIS_CLUSTER", "QUEUE_REDIS_URL")
        values = {**values, **dict.fromkeys(strange, ""), **local}
    reader = _MappingEnv(_with_secret_of_file(values))
    loaded = _read(reader)
    try:
        reader.seal()
    except environs.EnvValidationError as error:
        lines = [f"  {name}: {' '.join(messages)}" for name, messages in sorted(_messages(error).items())]
        raise SettingsError("\n".join(["Wrong settings in the environment:", *lines])) from None
    return Settings(**loaded)


def load_settings_or_exit() -> Settings:
    """Settings for a process that cannot go on without: says what is wrong on stderr and exits with 1."""
    try:
        return load_settings()
    except SettingsError as error:
        sys.exit(str(error))


def check_rate_limit(text: str) -> str:
    """The text, if it is one limit such as "600/minute". Raises ValueError."""
    try:
        parsed = limits.parse_many(text)
    except ValueError:
        parsed = []
    if len(parsed) != 1 or not 0 < parsed[0].amount <= MAX_COUNT or not 0 < parsed[0].get_expiry() <= MAX_COUNT:
        raise ValueError('Must be one rate limit such as "600/minute" or "10/second".')
    return text


def _with_secret_of_file(values: Mapping[str, str]) -> Mapping[str, str]:
    """SECRET_KEY, where it is not set, from the file SECRET_KEY_FILE: so Docker and Kubernetes mount secrets."""
    path = values.get("SECRET_KEY_FILE")
    if values.get("SECRET_KEY") or not path:
        return values
    try:
        return {**values, "SECRET_KEY": Path(path).read_text().strip()}
    except (OSError, UnicodeDecodeError):
        raise SettingsError("Wrong settings in the environment:\n  SECRET_KEY_FILE: Cannot be read.") from None


def _read(env: _MappingEnv) -> dict[str, Any]:
    values = {
        "database_url": env.str("DATABASE_URL", validate=_scheme("postgres", "postgresql")),
        "database_direct_url": env.str("DATABASE_DIRECT_URL", None, validate=_scheme("postgres", "postgresql")),
        "database_read_url": env.str("DATABASE_READ_URL", None, validate=_scheme("postgres", "postgresql")),
        "redis_url": env.str("REDIS_URL", validate=_scheme("redis", "rediss")),
        "redis_tls_verify": env.str("REDIS_TLS_VERIFY", "required", validate=_tls_verify),
        "redis_cluster": env.bool("REDIS_CLUSTER", False),
        "queue_redis_url": env.str("QUEUE_REDIS_URL", None, validate=_scheme("redis", "rediss")),
        "buffer_streams": env.int("BUFFER_STREAMS", 1, validate=validate.Range(1, MOST_STREAMS)),
        "secret_key": env.str("SECRET_KEY", validate=_secret),
        "port": env.int("PORT", 8000, validate=validate.Range(1, 65535)),
        "web_concurrency": env.int("WEB_CONCURRENCY", 2, validate=validate.Range(1, 1024)),
        "log_level": env.str("LOG_LEVEL", "info", validate=_log_level),
        "default_rate_limit": env.str("DEFAULT_RATE_LIMIT", "6000/minute", validate=_rate_limit),
        "buffer_max_events": env.int("BUFFER_MAX_EVENTS", 1_000_000, validate=validate.Range(1, MAX_COUNT)),
        "idempotency_window_seconds": env.int("IDEMPOTENCY_WINDOW_SECONDS", 900, validate=validate.Range(1, 86_400)),
        "retention_days": env.int("RETENTION_DAYS", 90, validate=validate.Range(1, 36_500)),
        "max_new_versions_per_prompt": env.int("MAX_NEW_VERSIONS_PER_PROMPT", 1_000, validate=_new_per_day),
        "max_new_prompts_per_project": env.int("MAX_NEW_PROMPTS_PER_PROJECT", 10_000, validate=_new_per_day),
        "trusted_proxy_count": env.int("TRUSTED_PROXY_COUNT", 0, validate=validate.Range(0, 10)),
        "public_url": env.str("PUBLIC_URL", None, validate=_public_url),
        "metrics_token": env.str("METRICS_TOKEN", None, validate=validate.Length(min=16)),
        "webhook_private_addresses": env.str("WEBHOOK_PRIVATE_ADDRESSES", REFUSE, validate=_allowance),
        "webhook_http": env.str("WEBHOOK_HTTP", REFUSE, validate=_allowance),
        "database_pool_size": env.int("DATABASE_POOL_SIZE", 4, validate=validate.Range(1, 1_000)),
        "redis_pool_size": env.int("REDIS_POOL_SIZE", 64, validate=validate.Range(1, 10_000)),
        "aws_endpoint_url": env.str("AWS_ENDPOINT_URL", None, validate=_scheme("http", "https")),
        "fast_paths": env.bool("FAST_PATHS", True),
        # A stable name lets a restarted worker find what it had claimed; Heroku names its machines in DYNO.
        "worker_name": env.str("WORKER_NAME", None, validate=validate.Length(max=128)) or env.str("DYNO", None),
    }
    values["database_direct_url"] = values["database_direct_url"] or values["database_url"]
    values["public_url"] = _normal_url(values["public_url"])
    if not values["redis_cluster"]:
        values["queue_redis_url"] = values["queue_redis_url"] or values["redis_url"]
    values["log_level"] = str(values["log_level"]).lower()
    values["worker_name"] = values["worker_name"] or socket.gethostname()
    if set(values) != {each.name for each in fields(Settings)}:
        raise AssertionError("a setting is read that has no field, or the other way round")
    return values


def _messages(error: environs.EnvValidationError) -> dict[str, list[str]]:
    messages = error.error_messages
    return messages if isinstance(messages, dict) else {"environment": list(messages)}


_new_per_day = validate.Range(1, MAX_NEW_PER_DAY)


def _scheme(*schemes: str) -> Any:
    def check(url: str) -> None:
        scheme, separator, rest = url.partition("://")
        if scheme not in schemes or not separator or not rest:
            raise environs.ValidationError(f"Must be a URL that begins with {' or '.join(f'{s}://' for s in schemes)}.")

    return check


def _tls_verify(value: str) -> None:
    if value in ("required", "none"):
        return
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(value)
    except OSError:
        raise environs.ValidationError(
            "Must be required, none, or the path of a file with certificates of authorities (PEM) that can be read."
        ) from None


def _public_url(url: str) -> None:
    try:
        parts = urlsplit(url)
        good = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        good = False
    if not good or not _ORIGIN.fullmatch(url):
        raise environs.ValidationError("Must be a URL such as https://analytics.example.org, without a path.")


def _normal_url(url: object) -> str | None:
    """In lower case, without a slash at its end and without the port that its scheme has anyway."""
    if url is None:
        return None
    normal = str(url).lower().rstrip("/")
    return normal.removesuffix(":443" if normal.startswith("https:") else ":80")


def _secret(value: str) -> None:
    if len(value) < SHORTEST_SECRET:
        raise environs.ValidationError(f"Must have at least {SHORTEST_SECRET} characters.")


def _allowance(value: str) -> None:
    if value not in (ALLOW, REFUSE):
        raise environs.ValidationError(f"Must be {ALLOW} or {REFUSE}.")


def _log_level(value: str) -> None:
    if value.lower() not in LOG_LEVELS:
        raise environs.ValidationError(f"Must be one of {', '.join(LOG_LEVELS)}.")


def _rate_limit(value: str) -> None:
    try:
        check_rate_limit(value)
    except ValueError as error:
        raise environs.ValidationError(str(error)) from None

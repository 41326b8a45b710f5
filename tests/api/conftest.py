"""What tests of the HTTP API share: a client, a key, a look into the buffer."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import cast

import httpx
import pytest
import redis

from app.core.stream.events import Event, decode_event
from app.core.stream.state import STREAM
from tests.api_keys import create_key
from tests.sign_in import create_project, signed_in_client

# What these look at is the pages' own: which of them are served, and how, the others ask both ways.
RUN_ONE_WAY = (
    *(
        "api_keys_page",
        "sessions",
        "system_page",
        "test_members",
        "test_dashboard",
        "test_prompt_page",
    ),
    *("test_comparison_page", "test_margins_page", "news", "test_csv_downloads", "test_docs", "test_openapi"),
    *("test_health_light", "test_compression", "audit_log", "test_chart_csv", "test_disabled_users"),
    *("test_events_page", "test_invitation_attack", "test_operators_projects", "test_version_table"),
)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """The tests of the API run on a web process with its speed patches, and on one with FAST_PATHS=off."""
    path = metafunc.definition.path.relative_to(Path(__file__).parent)
    if "fast_paths" in metafunc.fixturenames and not path.parts[0].startswith(RUN_ONE_WAY):
        metafunc.parametrize("fast_paths", ["on", "off"], ids=["fast", "plain"], indirect=True, scope="session")


@pytest.fixture
def ingest_key(database_url: str) -> str:
    return create_key(database_url)


@pytest.fixture
def client(web: str, ingest_key: str) -> Iterator[httpx.Client]:
    """Speaks to the real gunicorn with a key that may ingest."""
    with httpx.Client(base_url=web, headers={"Authorization": f"Bearer {ingest_key}"}) as client:
        yield client


@pytest.fixture
def project_id(database_url: str, clean_database: None) -> int:
    """Of the only project, named p."""
    return create_project(database_url, "p")


@pytest.fixture
def member(web: str, database_url: str, project_id: int) -> Iterator[httpx.Client]:
    """The browser of a member of that project."""
    with signed_in_client(web, database_url, role="member") as client:
        yield client


@pytest.fixture
def redis_client(redis_url: str) -> Iterator[redis.Redis]:
    with redis.Redis.from_url(redis_url) as client:
        yield client


@pytest.fixture
def buffered(redis_client: redis.Redis) -> Callable[[], list[Event]]:
    """Calling it returns the events in the buffer, oldest first."""

    def read() -> list[Event]:
        entries = cast(list[tuple[bytes, dict[bytes, bytes]]], redis_client.xrange(STREAM))
        return [decode_event(fields[b"e"]) for _, fields in entries]

    return read

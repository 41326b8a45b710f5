"""What tests of sessions share."""

from collections.abc import Iterator

import httpx
import pytest

from app.core.accounts.passwords import hash_password
from tests.sessions import EMAIL, PASSWORD
from tests.sign_in import add_member, client_of, create_project, create_user


@pytest.fixture(scope="module")
def password_hash() -> str:
    return hash_password(PASSWORD)


@pytest.fixture
def user_id(clean_database: None, database_url: str, password_hash: str) -> int:
    user_id = create_user(database_url, EMAIL, password_hash=password_hash)
    add_member(database_url, create_project(database_url, "demo"), user_id, "admin")
    return user_id


@pytest.fixture
def browser(web: str, database_url: str, user_id: int) -> Iterator[httpx.Client]:
    with client_of(web, database_url, user_id) as client:
        client.follow_redirects = False
        yield client

"""What a client is told when PostgreSQL has been restarted."""

from concurrent.futures import ThreadPoolExecutor

import httpx

from app.local.postgres import RunningPostgres
from tests.api_keys import create_key
from tests.waiting import wait_until

PATH = "/api/v1/prompts/analytics"
EVENT = {"prompt_id": "123e4567-e89b-12d3-a456-426614174000", "version_hash": "v"}


def test_a_new_key_works_as_soon_as_postgresql_is_back(web: str, postgres: RunningPostgres, database_url: str) -> None:
    headers = {"Authorization": f"Bearer {create_key(database_url)}"}
    postgres.stop()
    try:
        assert httpx.post(web + PATH, json=EVENT, headers=headers).status_code == 503
    finally:
        postgres.restart()
    wait_until(lambda: httpx.post(web + PATH, json=EVENT, headers=headers).status_code == 204)


def test_nobody_is_sent_away_for_the_connections_that_a_restart_of_postgresql_has_cut(
    web: str, postgres: RunningPostgres, database_url: str
) -> None:
    headers = {"Authorization": f"Bearer {create_key(database_url, scopes=['read'])}"}

    def ask(_number: int) -> int:
        return httpx.get(web + PATH, headers=headers, timeout=12).status_code

    with ThreadPoolExecutor(16) as threads:
        # so that the pools of both processes grow; who waited too long for that is of no interest here
        list(threads.map(ask, range(64)))
    postgres.restart()
    assert [ask(number) for number in range(16)] == [200] * 16

"""Folds that need not be waited for."""

import psycopg

from chaos.service import Service, wait_until

FOLDED_SECONDS = 60.0

GROW_OLD = """
UPDATE rollup_additions SET added_at = added_at - interval '1 hour' WHERE added_at > now() - interval '30 minutes'
"""
IS_FOLDED = "SELECT NOT EXISTS (SELECT FROM rollup_additions)"


def make_folds_due(database_url: str) -> None:
    """Let what batches have added look as if nobody had folded it for an hour."""
    with psycopg.connect(database_url) as connection:
        connection.execute(GROW_OLD)


def wait_until_folded(service: Service) -> None:
    """Let the workers fold all that there is. CannotRun where they do not."""

    def is_folded() -> bool:
        make_folds_due(service.database_url)
        with psycopg.connect(service.database_url) as connection:
            return connection.execute(IS_FOLDED).fetchone() == (True,)

    wait_until(is_folded, "all additions folded", FOLDED_SECONDS)

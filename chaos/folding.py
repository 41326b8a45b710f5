"""Folds that need not be waited for."""

import psycopg

from chaos.service import Service, wait_until

FOLDED_SECONDS = 60.0

GROW_OLD = """
UPDATE rollup_additions SET added_at = added_at - interval '1 hour' WHERE added_at > now() - interval '30 minutes'
"""
# Citus takes no EXISTS over a table that lies on nodes.
IS_FOLDED = "SELECT count(*) = 0 FROM rollup_additions"


def make_folds_due(database_url: str) -> None:
    """Let what batches have added look as if nobody had folded it for an hour."""
    with psycopg.connect(database_url) as connection:
        connection.execute(GROW_OLD)


def is_folded(database_url: str) -> bool:
    with psycopg.connect(database_url) as connection:
        return connection.execute(IS_FOLDED).fetchone() == (True,)


def wait_until_folded(service: Service) -> None:
    """Let the workers fold all that there is. CannotRun where they do not."""

    def is_folded_now() -> bool:
        make_folds_due(service.database_url)
        return is_folded(service.database_url)

    wait_until(is_folded_now, "all additions folded", FOLDED_SECONDS)

"""Redis shows a certificate that is not trusted: the entry says so, and its commands lead out of it."""

from collections.abc import Callable
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from app.local.redis_server import RunningRedis
from tests.certificates import redis_over_tls
from tests.health import problems
from tests.processes import app_environment
from tests.runbook_entries import Operator, entries


@pytest.mark.parametrize("trusts", ["none", "certificate"])
def test_redis_is_not_trusted(
    *,
    trusts: str,
    database_url: str,
    redis_server: RunningRedis,
    operator: Operator,
    open_client: Callable[..., FlaskClient],
    tmp_path: Path,
) -> None:
    entry = entries()["redis_certificate"]
    with redis_over_tls(redis_server.port, tmp_path, password=redis_server.password) as server:
        assert entry.says(problems(open_client(database_url, server.url))["redis"])
        tls_verify = "none" if trusts == "none" else str(server.certificate)
        before = Operator(app_environment(database_url, server.url))
        printed = before.follow("redis_certificate", may_fail={1}, TLS_VERIFY=tls_verify)
        assert entry.says(printed[0])
        assert "REDIS_TLS_VERIFY" not in printed[1]
        restarted = open_client(database_url, server.url, REDIS_TLS_VERIFY=tls_verify)
        assert restarted.get("/readyz").status_code == 200

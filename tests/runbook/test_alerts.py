"""The alert rules: what they measure exists, each names an entry, and each fires where it should."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from app.core.operations import metrics as names
from app.local.children import REPOSITORY
from app.web.pages.system.facts import CHECKS
from tests.runbook_entries import entries

ALERTS = REPOSITORY / "ops" / "alerts.yaml"
ALERT = re.compile(r"^      - alert: (\w+)$(.+?)(?=^      - alert|\Z)", re.MULTILINE | re.DOTALL)
RULES = dict(ALERT.findall(ALERTS.read_text()))


@pytest.mark.parametrize("rule", RULES.values(), ids=RULES)
def test_a_rule_measures_what_is_on_the_closed_list(rule: str) -> None:
    closed = {name for attribute, name in vars(names).items() if attribute.isupper()}
    measured = set(re.findall(r"prompt_analytics_\w+", rule))
    assert measured
    assert measured <= closed


@pytest.mark.parametrize("alert", RULES)
def test_an_alert_has_an_entry_that_names_it(alert: str) -> None:
    (entry,) = re.findall(
        r'runbook_url: "?https://analytics\.example\.org/docs/runbook#(\S+?)"?$', RULES[alert], re.MULTILINE
    ) or [""]
    if alert == "PromptAnalyticsNotReady":
        assert 'runbook_url: "https://analytics.example.org/docs/runbook#{{ $labels.check }}"' in RULES[alert]
    else:
        assert f"`{alert}`" in entries()[entry].parts["Shows"]


NOT_MEASURED = {
    "api_key_leaked": "people tell of it",
    "secret_key_leaked": "people tell of it",
    "restore": "whoever restores knows of it",
    "unknown_proxy": "the system page and web's log say it once; it is about a setting, and nothing is at fault",
    "rollups_wrong": "`python -m app ledger` exits with 1; to count everything at each scrape would cost too much",
    "redis_lost_data": "the alert of losses",
    "redis_certificate": "the check redis",
    "redis_disk": "the check redis_settings",
    "buffer_full": "the check buffer",
    "buffer_clock": "the check buffer",
    "buffer_not_a_stream": "the check buffer",
    "partitions_detached": "the check partitions",
    "postgresql_disk": "the alerts of what waits, and the check postgresql",
    "postgresql_slow": "the alerts of what waits, and of answers with 503",
    "locked_rows": "the alerts of what waits, and of what is not folded",
}
"""Entries to which no rule of their own leads, each with what shows it."""


def test_every_entry_has_a_rule_or_a_reason_for_none() -> None:
    named = set(re.findall(r"docs/runbook#(\w+)", "".join(RULES.values())))
    assert set(entries()) - named - set(CHECKS) == set(NOT_MEASURED)


def test_each_check_of_readyz_is_a_metric(client: FlaskClient) -> None:
    text = client.get("/metrics").text
    found = dict(re.findall(r'^prompt_analytics_check_ok{check="(\w+)"} (\S+)$', text, re.MULTILINE))
    assert found == dict.fromkeys(CHECKS, "1.0")


def test_a_check_that_fails_is_0_and_one_that_cannot_be_made_is_absent(client: FlaskClient, postgres) -> None:
    postgres.stop()
    text = client.get("/metrics").text
    assert 'prompt_analytics_check_ok{check="postgresql"} 0.0' in text
    assert 'prompt_analytics_check_ok{check="redis"} 1.0' in text
    assert 'check="migrations"' not in text


@pytest.mark.skipif(not shutil.which("promtool"), reason="there is no promtool on this machine (Debian: prometheus)")
def test_each_rule_fires_where_it_should(tmp_path: Path) -> None:
    for path in (ALERTS, Path(__file__).with_name("alerts.test.yaml")):
        shutil.copy(path, tmp_path)
    done = subprocess.run(
        ["promtool", "test", "rules", "alerts.test.yaml"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    checked = subprocess.run(["promtool", "check", "rules", str(ALERTS)], capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout + checked.stderr

"""The dashboard for Grafana: what it asks for exists, can be parsed, and is all that there is."""

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from app.local.children import REPOSITORY
from tests.batches import EVENT, PATH, bearer
from tests.runbook.test_alerts import RULES

DASHBOARD: dict[str, Any] = json.loads((REPOSITORY / "ops" / "grafana" / "prompt-analytics.json").read_text())
PANELS: list[dict[str, Any]] = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
EXPRESSIONS = [target["expr"] for panel in PANELS for target in panel["targets"]]
METRIC = re.compile(r"\bprompt_analytics_\w+")
HISTOGRAM_PARTS = re.compile(r"_(bucket|sum|count)$")


def families_in(expressions: list[str]) -> set[str]:
    return {HISTOGRAM_PARTS.sub("", name) for text in expressions for name in METRIC.findall(text)}


def exposed(client: FlaskClient) -> set[str]:
    return set(re.findall(r"^# TYPE (\w+) ", client.get("/metrics").text, re.MULTILINE))


def test_what_rules_and_dashboard_ask_for_is_told_by_metrics_and_the_dashboard_shows_all_of_it(
    client: FlaskClient, database_url: str
) -> None:
    assert client.post(PATH, json=EVENT, headers=bearer(database_url)).status_code == 204
    at_work = client.application.extensions["prompt_analytics"]
    # from then on it is known when somebody looked for events
    at_work.buffer.read_new("somebody", 1)
    told = exposed(client)
    assert families_in(list(RULES.values())) <= told
    assert families_in(EXPRESSIONS) == told


def test_labels_that_are_asked_for_are_told(client: FlaskClient, database_url: str) -> None:
    client.post(PATH, json=EVENT, headers=bearer(database_url))
    text = client.get("/metrics").text
    of_prometheus = {"instance", "le"}
    asked = {name for each in [*EXPRESSIONS, *RULES.values()] for name in re.findall(r"(\w+)(?:=~|!~|!=|=)\"", each)}
    asked |= {name for each in EXPRESSIONS for name in re.findall(r" by \((\w+)\)", each)}
    assert asked - of_prometheus == {"check", "code", "endpoint", "status"}
    for label in asked - of_prometheus:
        assert re.search(rf'[{{,]{label}="', text), label


def test_each_panel_says_what_it_shows_in_a_place_of_its_own() -> None:
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(DASHBOARD["panels"])
    taken: set[tuple[int, int]] = set()
    for panel in DASHBOARD["panels"]:
        place = panel["gridPos"]
        cells = {(place["x"] + x, place["y"] + y) for x in range(int(place["w"])) for y in range(int(place["h"]))}
        assert not cells & taken, panel["title"]
        assert max(x for x, _ in cells) < 24
        taken |= cells
    assert all(panel["title"] and panel["description"] for panel in PANELS)


def test_it_takes_whatever_prometheus_one_has() -> None:
    (variable,) = [each for each in DASHBOARD["templating"]["list"] if each["type"] == "datasource"]
    assert (variable["name"], variable["query"]) == ("datasource", "prometheus")
    chosen = {"type": "prometheus", "uid": "${datasource}"}
    assert all(panel["datasource"] == chosen for panel in PANELS)
    assert all(target["datasource"] == chosen for panel in PANELS for target in panel["targets"])
    # the schema of Grafana 10 and 11, which later ones bring up to date by themselves
    assert 38 <= DASHBOARD["schemaVersion"] <= 40
    assert DASHBOARD["id"] is None


@pytest.mark.skipif(not shutil.which("promtool"), reason="there is no promtool on this machine (Debian: prometheus)")
def test_prometheus_can_parse_what_it_asks(tmp_path: Path) -> None:
    asked = [each.replace("$__rate_interval", "1m").replace("$instance", ".*") for each in EXPRESSIONS]
    rules = [{"record": f"panel_{number}", "expr": each} for number, each in enumerate(asked)]
    path = tmp_path / "rules.json"
    path.write_text(json.dumps({"groups": [{"name": "dashboard", "rules": rules}]}))
    checked = subprocess.run(["promtool", "check", "rules", str(path)], capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert f"{len(EXPRESSIONS)} rules found" in checked.stdout

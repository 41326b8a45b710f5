import ast
import json
import shlex
import shutil
import subprocess

import pytest

from app.core.contract import ANALYTICS_PATH, EXAMPLE_EVENT
from app.web.pages.api_keys.snippets import snippets

HOSTS = ["http://127.0.0.1:8000/", "https://analytics.example.com", "https://x.example/';$(id)\"\\"]
KEY = "eg_live_" + "0" * 38


@pytest.mark.parametrize("base_url", HOSTS)
@pytest.mark.parametrize("scopes", [{"ingest"}, {"read"}])
def test_url_and_key_stand_in_the_code_as_they_are_whatever_they_are(base_url, scopes):
    curl, python, typescript = [each.code for each in snippets(base_url, KEY, scopes)]
    url = base_url.rstrip("/") + ANALYTICS_PATH
    words = shlex.split(curl.replace("\\\n", " "))
    assert url in words
    assert f"Authorization: Bearer {KEY}" in words
    texts = {node.value for node in ast.walk(ast.parse(python)) if isinstance(node, ast.Constant)}
    assert {url, f"Bearer {KEY}"} <= texts
    assert json.dumps(url) in typescript


def test_the_curl_line_sends_the_example():
    words = shlex.split(snippets(HOSTS[0], KEY, {"ingest", "read"})[0].code.replace("\\\n", " "))
    assert json.loads(words[words.index("-d") + 1]) == EXAMPLE_EVENT


@pytest.mark.skipif(shutil.which("node") is None, reason="no node to run it with")
@pytest.mark.parametrize("scopes", [{"ingest"}, {"read"}])
def test_the_typescript_is_a_module_that_can_be_parsed(scopes):
    code = snippets(HOSTS[0], KEY, scopes)[2].code
    command = ["node", "--input-type=module", "--check", "-"]
    assert subprocess.run(command, input=code, text=True, check=False).returncode == 0

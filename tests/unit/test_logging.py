import json
import logging
import logging.config
import sys
from collections.abc import Callable, Iterator
from io import StringIO
from typing import Any

import psycopg.errors
import pytest
from rq.logutils import setup_loghandlers

from app.core.keys.api_key import mint_key
from config.logging import RedactingJsonFormatter, link_documents_in_logs, log_config, name_requests_in_logs, redact

KEY = mint_key()
SECRETS = {
    "webhook secret": ("signed with whsec_c2VjcmV0+/dGVzdA==", "c2VjcmV0"),
    "an API key": (f"key {KEY} is bad", KEY),
    "a truncated API key": (f"key {KEY[:20]}", KEY[8:20]),
    "a sign-in link": ("Exception on /login/link/Zk3-x_9aB [POST]", "Zk3-x_9aB"),
    "a bearer header": ("Authorization: Bearer abc.def-123", "abc.def-123"),
    "basic credentials": ("headers {'Authorization': 'Basic dXNlcjpwYXNz'}", "dXNlcjpwYXNz"),
    "a database URL": ("cannot connect to postgres://pa:hunter2@db:5432/pa", "hunter2"),
    "an unescaped password in a URL": ("at postgresql://pa:hun@ter2@db/pa", "ter2"),
    "a Redis URL without a user": ("redis://:hunter2@cache:6379/0", "hunter2"),
    "a connection string": ("host=db user=pa password=hunter2 dbname=pa", "hunter2"),
    "a quoted password": ('{"password": "hunter2"}', "hunter2"),
    "a setting": ("SECRET_KEY=hunter2hunter2", "hunter2"),
    "a token": ("METRICS_TOKEN: hunter2", "hunter2"),
}


@pytest.fixture
def lines(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], list[dict[str, Any]]]]:
    """Calling it returns what was logged so far, parsed. The pipeline is as in production, at level info."""
    output = StringIO()
    monkeypatch.setattr(sys, "stdout", output)
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    logging.config.dictConfig(log_config("info"))
    yield lambda: [json.loads(line) for line in output.getvalue().splitlines()]
    root.handlers[:] = handlers
    root.setLevel(level)


class Unprintable:
    def __str__(self) -> str:
        raise RuntimeError("no text")


def test_a_line_has_time_level_logger_and_message(lines):
    logging.getLogger("worker").info("drained %d", 3, extra={"stored": 3})
    (line,) = lines()
    assert line.pop("timestamp").endswith("+00:00")
    assert isinstance(line.pop("process"), int)
    assert line == {"level": "INFO", "logger": "worker", "message": "drained 3", "stored": 3}


@pytest.mark.parametrize(("text", "secret"), SECRETS.values(), ids=SECRETS)
def test_a_secret_never_reaches_the_log(lines, text: str, secret: str):
    log = logging.getLogger("app.web")
    log.info(text)
    log.info("argument: %s, %r", text, {"nested": [text]})
    log.info("extra", extra={"seen": text, "nested": {"deep": [text, text.encode()]}})
    error = RuntimeError("later")
    error.__cause__ = ValueError(text)
    log.error("failed", exc_info=error)
    assert secret not in json.dumps(lines())
    assert len(lines()) == 4
    assert secret not in redact(text)


def test_a_secret_in_a_field_of_that_name_never_reaches_the_log(lines):
    logging.getLogger("app.web").info("sign-in", extra={"password": 'two words "quoted" hunter2', "Authorization": KEY})
    text = json.dumps(lines())
    assert "two words" not in text
    assert "hunter2" not in text
    assert KEY not in text


def test_what_is_no_secret_stays(lines):
    text = 'GET /api/v1/prompts/analytics?from=2026-01-01T00:00:00Z {"version_hash": "a"} in 12 ms at http://127.0.0.1:80/x'
    logging.getLogger("app.web").info(text)
    assert lines()[0]["message"] == text


def test_data_that_postgresql_quotes_never_reaches_the_log(lines):
    quoting = 'invalid input syntax for type numeric: "the body"'
    try:
        try:
            raise psycopg.errors.InvalidTextRepresentation(quoting)
        except psycopg.Error as error:
            raise RuntimeError("not stored") from error
    except RuntimeError:
        logging.getLogger("worker").exception("failed")
    exception = lines()[0]["exception"]
    assert "the body" not in exception
    assert "SQLSTATE 22P02" in exception
    assert "RuntimeError: not stored" in exception
    assert "test_logging.py" in exception


def test_other_errors_of_postgresql_are_told_without_their_details(lines):
    detailed = 'relation "events" does not exist\nDETAIL: the body'
    try:
        raise psycopg.errors.UndefinedTable(detailed)
    except psycopg.Error:
        logging.getLogger("worker").exception("failed")
    assert 'SQLSTATE 42P01: relation "events" does not exist' in lines()[0]["exception"]
    assert "the body" not in lines()[0]["exception"]


def test_a_line_break_in_a_message_makes_no_second_line(lines):
    logging.getLogger("app.web").info('a\n{"level": "INFO", "message": "forged"}')
    assert len(lines()) == 1


def test_a_record_without_a_text_is_still_a_line():
    format_record = RedactingJsonFormatter().format
    for message, arguments in (("argument: %s", (Unprintable(),)), ("too few: %s %s", (KEY,))):
        record = logging.LogRecord("app.web", logging.WARNING, "x.py", 1, message, arguments, None)
        assert json.loads(format_record(record))["message"] == "a log record that has no text"


def test_rq_and_gunicorn_and_the_pool_go_the_same_way(lines):
    setup_loghandlers(None)
    for name in ("rq.worker", "gunicorn.error", "psycopg.pool"):
        assert logging.getLogger(name).handlers == []
        logging.getLogger(name).warning("\x1b[31mhello\x1b[39;49;00m")
    assert [(line["logger"], line["message"]) for line in lines()] == [
        ("rq.worker", "hello"),
        ("gunicorn.error", "hello"),
        ("psycopg.pool", "hello"),
    ]


def test_a_job_of_rq_is_not_worth_a_line_each(lines):
    logging.getLogger("rq.worker").info("Job OK")
    assert lines() == []


def test_lines_name_the_request_at_hand(lines):
    name_requests_in_logs(lambda: "request-1")
    logging.getLogger("app.web").info("inside")
    name_requests_in_logs(lambda: None)
    logging.getLogger("app.web").info("outside")
    assert [line.get("request_id") for line in lines()] == ["request-1", None]


def test_what_a_line_leads_to_is_an_address_where_that_is_known(lines):
    log = logging.getLogger("worker")
    for public_url in (None, "https://analytics.example.org"):
        link_documents_in_logs(public_url)
        for see in ("docs/runbook.md#redis", "docs/operations.md", "elsewhere", 7):
            log.warning("drain put off", extra={"see": see})
    link_documents_in_logs(None)
    log.warning("docs/runbook.md#redis")
    assert [line.get("see") for line in lines()] == [
        *("docs/runbook.md#redis", "docs/operations.md", "elsewhere", 7),
        *("https://analytics.example.org/docs/runbook#redis", "https://analytics.example.org/docs/operations"),
        *("elsewhere", 7, None),
    ]

import json

import pytest

from app.local.log_follower import MOST_LINES_AT_ONCE, LogFollower, error_text


def line(**fields: str) -> bytes:
    return json.dumps({"level": "ERROR", "message": "it broke", **fields}).encode() + b"\n"


def test_an_error_is_shown_with_the_last_line_of_its_exception():
    assert error_text(line(exception="  File x\nValueError: no")) == "it broke: ValueError: no"


@pytest.mark.parametrize("text", [line(level="INFO"), b"plain text", b"[]", b'"x"', b'{"level": "ERROR"}', b""])
def test_all_else_stays_in_the_file(text):
    assert error_text(text) is None


def test_each_error_is_shown_once_and_only_when_its_line_is_complete(tmp_path):
    path = tmp_path / "web.log"
    path.write_bytes(line())
    follower = LogFollower("web", path)
    assert follower.new_errors() == ["web: it broke"]
    whole = line(message="again")
    with path.open("ab", buffering=0) as log:
        log.write(whole[:10])
        assert follower.new_errors() == []
        log.write(whole[10:])
    assert follower.new_errors() == ["web: again"]
    assert follower.new_errors() == []


def test_a_flood_of_errors_is_counted(tmp_path):
    path = tmp_path / "web.log"
    path.write_bytes(line() * (MOST_LINES_AT_ONCE + 5))
    shown = LogFollower("web", path).new_errors()
    assert len(shown) == MOST_LINES_AT_ONCE + 1
    assert shown[-1] == f"web: 5 more errors, see {path}"

from uuid import UUID

import orjson
import pytest

from app.core.database import MAX_INTEGER
from app.core.stream.dead_letters import project_of
from app.core.stream.events import Event, encode_event


def entry_of(project_id: object) -> bytes:
    fields = orjson.loads(encode_event(Event((1).to_bytes(16), 1, UUID(int=2), "v")))
    fields[2] = project_id
    return orjson.dumps(fields)


def test_an_entry_that_can_be_read_tells_its_project():
    assert project_of(entry_of(7)) == 7
    assert project_of(entry_of(MAX_INTEGER)) == MAX_INTEGER


@pytest.mark.parametrize("project_id", [0, -1, MAX_INTEGER + 1, True, "7", None, 7.0])
def test_a_project_that_postgresql_would_refuse_is_none(project_id):
    assert project_of(entry_of(project_id)) is None


@pytest.mark.parametrize("payload", [b"", b"[]", b"not an event", b"[1,2,3,4,5,6,7,8]", b"\xff"])
def test_bytes_that_are_no_event_tell_no_project(payload):
    assert project_of(payload) is None

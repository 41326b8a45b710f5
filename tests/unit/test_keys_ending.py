"""How often PostgreSQL is asked how many keys end soon."""

from app.core.errors import DatabaseUnavailable
from app.web.pages.api_keys.ending import ASK_AGAIN_SECONDS, MAX_PROJECTS, KeysEnding
from tests.clocks import Monotonic, counting


def out_of_order() -> int:
    raise DatabaseUnavailable("it is away")


def test_each_project_is_asked_for_once_in_ten_seconds():
    clock = Monotonic()
    keys, ask, ask_another = KeysEnding(monotonic=clock), counting(), counting()
    assert (keys.of(1, ask), keys.of(2, ask_another)) == (1, 1)
    clock.now += ASK_AGAIN_SECONDS - 0.01
    assert (keys.of(1, ask), keys.of(2, ask_another)) == (1, 1)
    clock.now += 0.01
    assert keys.of(1, ask) == 2


def test_in_an_outage_nobody_waits_but_the_first_and_what_is_known_holds():
    clock = Monotonic()
    keys, ask = KeysEnding(monotonic=clock), counting()
    assert keys.of(1, ask) == 1
    assert keys.of(2, out_of_order) == 0
    assert keys.of(3, ask) == 0
    assert keys.of(1, ask) == 1
    clock.now += ASK_AGAIN_SECONDS
    assert keys.of(3, ask) == 2


def test_no_more_projects_are_remembered_than_fit():
    keys, ask = KeysEnding(monotonic=Monotonic()), counting()
    for project_id in range(MAX_PROJECTS + 1):
        keys.of(project_id, ask)
    assert len(keys._told) == 1

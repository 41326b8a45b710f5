from collections.abc import Sequence

import pytest

from app.core.acknowledgements import Acknowledgement, multirange
from app.core.errors import DatabaseUnavailable
from app.core.stream.numbering import Numbering, label_of, parse_label, runs_by_series


class Ledger:
    """Keeps what is written, unless it is away."""

    def __init__(self) -> None:
        self.rows: list[Acknowledgement] = []
        self.is_away = False

    def write(self, acknowledgements: Sequence[Acknowledgement]) -> None:
        if self.is_away:
            raise DatabaseUnavailable("away")
        self.rows += acknowledgements


class Clock:
    now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def ledger() -> Ledger:
    return Ledger()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def numbering(ledger: Ledger, clock: Clock) -> Numbering:
    """It writes only when it is told to."""
    return Numbering(ledger.write, clock=clock, delay_seconds=3_600)


def acknowledge(numbering: Numbering, count: int, project_id: int = 1) -> None:
    numbering.acknowledge(project_id, numbering.take(project_id, count))


def test_numbers_follow_one_another_and_are_written_as_one_run(numbering, ledger):
    for count in (1, 1, 100, 1):
        acknowledge(numbering, count)
    assert numbering.flush()
    assert [row.runs for row in ledger.rows] == [[(1, 104)]]


def test_each_project_has_a_series_of_its_own(numbering, ledger):
    acknowledge(numbering, 2)
    acknowledge(numbering, 3, project_id=2)
    numbering.flush()
    assert [(row.project_id, row.runs) for row in ledger.rows] == [(1, [(1, 3)]), (2, [(1, 4)])]
    assert len({row.series for row in ledger.rows}) == 2


def test_each_hour_begins_a_new_series_and_each_minute_is_written_for_itself(numbering, ledger, clock):
    acknowledge(numbering, 1)
    clock.now += 61
    acknowledge(numbering, 1)
    clock.now += 3_600
    acknowledge(numbering, 1)
    numbering.flush()
    assert [row.runs for row in ledger.rows] == [[(1, 2)], [(2, 3)], [(1, 2)]]
    assert ledger.rows[0].series == ledger.rows[1].series != ledger.rows[2].series
    assert [row.first_at - 1_800_000_000 for row in ledger.rows] == [0, 61, 3_661]


def test_numbers_of_what_was_not_stored_are_used_again(numbering, ledger):
    acknowledge(numbering, 1)
    refused = numbering.take(1, 5)
    acknowledge(numbering, 1)
    numbering.give_back(1, refused)
    acknowledge(numbering, 3)
    acknowledge(numbering, 2)
    numbering.flush()
    assert runs_by_series(label_of("s", n) for row in ledger.rows for run in row.runs for n in range(*run)) == {
        "s": [(1, 8)]
    }


def test_numbers_of_which_nobody_knows_are_never_used_again(numbering, ledger):
    acknowledge(numbering, 1)
    numbering.take(1, 1)
    acknowledge(numbering, 1)
    numbering.flush()
    assert ledger.rows[0].runs == [(1, 2), (3, 4)]


def test_numbers_given_back_after_their_hour_are_not_used_in_the_next(numbering, ledger, clock):
    late = numbering.take(1, 5)
    clock.now += 3_600
    acknowledge(numbering, 1)
    numbering.give_back(1, late)
    acknowledge(numbering, 1)
    numbering.flush()
    assert [row.runs for row in ledger.rows] == [[(1, 3)]]


def test_nothing_is_forgotten_while_postgresql_is_away(numbering, ledger, clock):
    ledger.is_away = True
    acknowledge(numbering, 2)
    assert not numbering.flush()
    acknowledge(numbering, 1)
    numbering.note_replayed(1, 4)
    assert not numbering.flush()
    ledger.is_away = False
    clock.now += 5
    acknowledge(numbering, 1)
    assert numbering.flush()
    (row,) = ledger.rows
    assert (row.runs, row.replayed, row.last_at - row.first_at) == ([(1, 5)], 4, 5)


def test_nothing_is_written_where_nothing_was_acknowledged(numbering, ledger):
    numbering.take(1, 1)
    assert numbering.flush()
    assert ledger.rows == []


@pytest.mark.parametrize(
    "label",
    [b"", b":", b"x", b"x:", b"x:-1", b"x:1.5", b"\xff:1", b"x:" + b"9" * 30, b"x:\xc2\xb2", b"\x00:1", b"a b:1"],
)
def test_what_is_no_label_is_passed_over(label):
    assert parse_label(label) is None


def test_a_label_is_read_as_it_was_written():
    assert parse_label(label_of("a-_9", 12)) == ("a-_9", 12)


def test_runs_are_written_as_postgresql_reads_them():
    assert multirange([(1, 4), (9, 10)]) == "{[1,4),[9,10)}"
    assert multirange([]) == "{}"


def test_what_is_acknowledged_after_the_turn_of_the_hour_belongs_to_the_hour_of_its_series(numbering, ledger, clock):
    early = numbering.take(1, 1)
    acknowledge(numbering, 1)
    clock.now += 3_600
    numbering.acknowledge(1, early)
    numbering.flush()
    assert {row.series for row in ledger.rows} == {early.series}
    assert {row.hour_began_at for row in ledger.rows} == {1_800_000_000}


def test_many_refusals_leave_little_to_look_through(numbering, ledger):
    for size in range(1, 2_000):
        first, second = numbering.take(1, size), numbering.take(1, 1)
        numbering.give_back(1, first)
        numbering.give_back(1, second)
    assert len(numbering._series[1].free) <= 100
    acknowledge(numbering, 1)
    numbering.flush()
    assert len(ledger.rows) == 1

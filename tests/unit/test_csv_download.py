from datetime import UTC, datetime
from decimal import Decimal

import pytest

from app.web.pages.layout.csv_download import csv_response, defused


@pytest.mark.parametrize(
    "text",
    ["=cmd()", "+1", "-1", "@x", " =1", "\t=1", "\rx", "\nx", "\uff1d1", "\uff0b1", "\uff0d1", "\uff201", "\xa0=1"],
)
def test_what_a_spreadsheet_takes_for_a_formula_becomes_text(text):
    assert defused(text) == f"'{text}"


UNSEEN = (
    *("\u200b", "\u200d", "\ufeff", "\u202e", "\u2066", "\u00ad", "\u034f", "\u061c", "\u180e", "\u2060", "\u2061"),
    *("\ufe0f", "\u3164", "\u115f", "\u2800", "\u2028", "\u3000", "\u0000", "\u001b", "\u007f", "\u0085", "\ue000"),
    *("\U000e0020", "\ufff9"),
)


@pytest.mark.parametrize("unseen", UNSEEN, ids=ascii)
def test_no_formula_hides_behind_what_is_not_seen(unseen: str):
    for sign in ("=", "+", "-", "@", "\uff1d"):
        for before in (unseen, unseen * 300, f" {unseen}\t{unseen}"):
            assert defused(f"{before}{sign}1") == f"'{before}{sign}1"
            assert defused(f"x;{before}{sign}1") == f"x;'{before}{sign}1"
    assert defused(f"{unseen}v1=2;{unseen}b-1") == f"{unseen}v1=2;{unseen}b-1"


@pytest.mark.parametrize(
    ("text", "inert"),
    [("x;=1;y", "x;'=1;y"), ("x; -1", "x;' -1"), ('x;"=1"', 'x;\'"=1"'), (";=1;@x", ";'=1;'@x"), ("=1;+1", "'=1;'+1")],
)
def test_no_formula_begins_behind_a_semicolon_at_which_excel_may_divide_the_line(text, inert):
    assert defused(text) == inert


@pytest.mark.parametrize("text", ["", "v1", "a=b", "1-2", "'", '"x"', "a; b=c", "a;b"])
def test_other_text_stays_as_it_is(text):
    assert defused(text) == text


def test_numbers_and_times_are_written_as_such_and_nothing_as_an_empty_cell():
    row = (-1, -0.5, Decimal("-1.50"), None, datetime(2026, 1, 2, 3, 4, tzinfo=UTC), "-1", 'a"b,c')
    answer = csv_response("x.csv", ("a", "b"), [row])
    assert answer.get_data().decode("utf-8-sig") == 'a,b\r\n-1,-0.5,-1.50,,2026-01-02T03:04:00Z,\'-1,"a""b,c"\r\n'
    assert answer.headers["Content-Disposition"] == 'attachment; filename="x.csv"'


def test_no_digit_and_no_letter_is_lost():
    data = csv_response("x.csv", ("ä",), [[Decimal("1E-7")], [Decimal("0.1234567890123456789")]]).get_data()
    assert data == b"\xef\xbb\xbf" + "ä\r\n0.0000001\r\n0.1234567890123456789\r\n".encode()


def test_rows_are_sent_while_they_are_read():
    read = []

    def rows():
        for number in range(1_000):
            read.append(number)
            yield [number]

    chunks = csv_response("x.csv", ("n",), rows()).iter_encoded()
    next(iter(chunks))
    assert 0 < len(read) < 1_000

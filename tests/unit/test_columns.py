"""Numbers of one column."""

import pytest
from markupsafe import Markup

from app.web.pages.layout.columns import (
    Write,
    count_column,
    counted,
    duration_column,
    money_column,
    score_column,
    share_column,
)
from app.web.pages.layout.formatting import Number
from tests.markup import text_of


def written(column: Write, values: list[Number | None]) -> list[str]:
    return [
        text_of(column(value)).replace("\N{NO-BREAK SPACE}", " ").replace("\N{MINUS SIGN}", "-") for value in values
    ]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([0.0042, 0.12, None], ["$0.00420", "$0.12000", "\N{EN DASH}"]),
        ([3, 1], ["$3.00", "$1.00"]),
        ([1234.5, 0.5, 0], ["$1,234.50", "$0.50", "$0.00"]),
        ([1234.5, 0.0005], ["$1,234.50", "< $0.01"]),
        ([0.00042], ["$0.000420"]),
        ([None], ["\N{EN DASH}"]),
    ],
)
def test_money_of_a_column_has_the_same_decimals(values: list[Number | None], expected: list[str]):
    assert written(money_column(values), values) == expected


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([850, 1290, None], ["850 ms", "1,290 ms", "\N{EN DASH}"]),
        ([4.2, 98], ["4.2 ms", "98.0 ms"]),
        ([1290, 12_300], ["1.29 s", "12.30 s"]),
        ([0, 5], ["0.0 ms", "5.0 ms"]),
    ],
)
def test_durations_of_a_column_have_one_unit(values: list[Number | None], expected: list[str]):
    assert written(duration_column(values), values) == expected


def test_counts_scores_and_shares_align_too():
    assert written(count_column([140_213, 7]), [140_213, 7]) == ["140,213", "7"]
    assert written(score_column([0.5, -1]), [0.5, -1]) == ["0.500", "-1.000"]
    assert [text.replace("\N{NO-BREAK SPACE}", " ") for text in map(share_column([0.5, 0.05]), [0.5, 0.05])] == [
        "50.0 %",
        "5.0 %",
    ]
    assert share_column([0.5, 0.25])(0.5) == "50\N{NO-BREAK SPACE}%"


def test_what_is_shortened_has_all_its_digits_for_who_points_and_for_who_listens():
    assert counted(140_213) == Markup(
        '<span title="140,213">140\N{NO-BREAK SPACE}k<span class="visually-hidden"> exactly 140,213</span></span>'
    )
    assert money_column([0.12, 0.0042])(0.004217) == Markup('<span title="$0.004217">$0.00422</span>')
    assert counted(7) == "7"

import math
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from app.web.pages.layout.formatting import ago, count, duration, money, percent_change, score, share, signed_ratio, utc

NOW = datetime(2026, 3, 10, 12, 34, 56, tzinfo=UTC)


def plain(text: str) -> str:
    return text.replace("\N{NO-BREAK SPACE}", " ").replace("\N{MINUS SIGN}", "-")


@pytest.mark.parametrize(
    ("dollars", "text"),
    [
        (None, "\N{EN DASH}"),
        (0, "$0"),
        (Decimal("0.00042"), "$0.00042"),
        (Decimal("0.000421987"), "$0.000422"),
        (1e-12, "< $0.000000001"),
        (0.1, "$0.10"),
        (0.1234, "$0.123"),
        (0.9999, "$1.00"),
        (12.3, "$12.30"),
        (999.999, "$1,000"),
        (1234.4, "$1,234"),
        (999_999.9, "$1 M"),
        (3_400_000, "$3.4 M"),
        (Decimal("1e12"), "$1 T"),
        (-0.5, "-$0.50"),
    ],
)
def test_money_has_the_digits_that_matter(dollars, text: str):
    assert plain(money(dollars)) == text


@pytest.mark.parametrize(
    ("milliseconds", "text"),
    [
        (None, "\N{EN DASH}"),
        (0, "0 ms"),
        (0.00001, "< 0.001 ms"),
        (0.421, "0.42 ms"),
        (8.54, "8.5 ms"),
        (850.4, "850 ms"),
        (999.6, "1 s"),
        (1_200, "1.2 s"),
        (1_236, "1.24 s"),
        (59_990, "1 m"),
        (125_000, "2 m 5 s"),
        (3_600_000, "1 h"),
        (12_000_000, "3 h 20 m"),
        (360_000_000, "4 d 4 h"),
        (1e12, "11,574 d 1 h"),
    ],
)
def test_durations_have_a_unit_that_fits(milliseconds, text: str):
    assert plain(duration(milliseconds)) == text


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (None, "\N{EN DASH}"),
        (0, "0"),
        (12_345, "12,345"),
        (99_999, "99,999"),
        (123_456, "123 k"),
        (999_999, "1 M"),
        (3_400_000, "3.4 M"),
        (1_234_567_890, "1.23 B"),
    ],
)
def test_counts_are_short_from_a_hundred_thousand_on(number, text: str):
    assert plain(count(number)) == text


@pytest.mark.parametrize(
    ("number", "text"),
    [(None, "\N{EN DASH}"), (0, "0"), (0.8734, "0.873"), (-0.5, "-0.500"), (1234567.8, "1.23 M"), (1e-9, "0.000")],
)
def test_scores_have_three_places(number, text: str):
    assert plain(score(number)) == text


@pytest.mark.parametrize(
    ("part", "text"),
    [
        (None, "\N{EN DASH}"),
        (0, "0 %"),
        (1, "100 %"),
        (0.0004, "< 0.1 %"),
        (0.015, "1.5 %"),
        (0.42, "42 %"),
        (0.996, "99.6 %"),
    ],
)
def test_shares_are_per_cent(part, text: str):
    assert plain(share(part)) == text


@pytest.mark.parametrize(
    ("numbers", "text", "words"),
    [
        ((112, 100), "+12 %", "12 % higher"),
        ((100.4, 100), "+0.4 %", "0.4 % higher"),
        ((50, 100), "-50 %", "50 % lower"),
        ((100.01, 100), "0 %", "no change"),
    ],
)
def test_a_change_says_its_direction_in_words(numbers, text: str, words: str):
    change = percent_change(*numbers)
    assert change is not None
    assert (plain(change.text), plain(change.words), change.judgement) == (text, words, "")


@pytest.mark.parametrize(("now", "before"), [(None, 1), (1, None), (1, 0), (1, Decimal("1E-400"))])
def test_there_is_no_change_from_nothing(now, before):
    assert percent_change(now, before) is None


@pytest.mark.parametrize(("logarithm", "text"), [(math.log(1.12), "+12 %"), (math.log(0.5), "-50 %"), (0, "0 %")])
def test_a_logarithm_is_told_as_per_cent_more_or_less(logarithm: float, text: str):
    assert plain(signed_ratio(logarithm)) == text


@pytest.mark.parametrize(
    ("age", "text"),
    [
        (timedelta(seconds=59), "just now"),
        (timedelta(seconds=-30), "just now"),
        (timedelta(minutes=3), "3 min ago"),
        (timedelta(hours=23, minutes=59), "23 h ago"),
        (timedelta(days=2, hours=3), "2 d ago"),
        (timedelta(days=61), "8 Jan 2026"),
        (timedelta(days=-1), "2026-03-11 12:34 UTC"),
    ],
)
def test_times_are_told_by_their_age(age: timedelta, text: str):
    assert plain(ago(NOW - age, NOW)) == text
    assert utc(NOW) == "2026-03-10 12:34 UTC"

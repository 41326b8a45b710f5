"""Text that others chose, as pages show it, and what versions that stand together are called."""

import pytest

from app.core.visible_text import version_labels, visible_text

FAMILY = "👩\u200d👩\u200d👧\u200d👦"
ENGLAND = "🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("v1-äöü 漢字 🚀", "v1-äöü 漢字 🚀"),
        ("a\u202eb\u2066c", "a[U+202E]b[U+2066]c"),
        ("zero\u200bwidth\ufeff", "zero[U+200B]width[U+FEFF]"),
        ("\x00\n\x9b", "[U+0000][U+000A][U+009B]"),
        ("\u3164", "[U+3164]"),
        ("\ud800", "[U+D800]"),
        (" v1  b ", "␣v1␣␣b␣"),
        ("v1 b", "v1 b"),
        ("\u00a0v1\u00a0b", "[U+00A0]v1\u00a0b"),
        (FAMILY, FAMILY),
        (ENGLAND, ENGLAND),
        ("a\u200db\u200d", "a[U+200D]b[U+200D]"),
        ("👩\u200d\u202e", "👩[U+200D][U+202E]"),
    ],
)
def test_what_cannot_be_seen_is_shown_by_its_number(text: str, shown: str):
    assert visible_text(text) == shown


def labels(*hashes: str) -> list[str]:
    found = version_labels((version_hash, None) for version_hash in hashes)
    return [found[version_hash] for version_hash in hashes]


def test_labels_that_are_not_long_stay_whole():
    assert labels("support-reply-v10", "support-reply-v11", "v1") == ["support-reply-v10", "support-reply-v11", "v1"]


def test_a_long_label_keeps_both_its_ends_and_a_digest_its_beginning():
    assert labels("customer-support-reply-2026-03-v10") == ["customer-…026-03-v10"]
    assert labels("0123456789abcdef0") == ["0123456789ab…"]


@pytest.mark.parametrize(
    "hashes",
    [
        ("customer-support-v10-reply-2026-03-01", "customer-support-v11-reply-2026-03-01"),
        ("0123456789abcdef" * 4, "0123456789abcdef" * 3 + "0123456789abcdee"),
        tuple(f"customer-support-reply-{number:03}-of-the-year-2026" for number in range(200)),
        ("x" * 40, "x" * 41),
        ("x" * 30 + "a" * 30 + "y" * 30, "x" * 30 + "b" * 30 + "y" * 30, "x" * 30 + "a" * 29 + "c" + "y" * 30),
    ],
)
def test_labels_that_would_look_alike_are_cut_where_they_differ(hashes: tuple[str, ...]):
    found = labels(*hashes)
    assert len(set(found)) == len(hashes)
    assert max(map(len, found)) <= 20


def test_the_beginning_of_labels_told_apart_stays():
    assert labels("customer-support-v10-reply-2026-03-01", "customer-support-v11-reply-2026-03-01") == [
        "custom…t-v10-reply…",
        "custom…t-v11-reply…",
    ]


def test_labels_that_no_place_tells_apart_stand_whole():
    hashes = ["a" * 10 + first + "b" * 30 + second + "c" * 30 for first, second in ("xx", "xy", "zx", "zy")]
    assert labels(*hashes) == hashes


def test_a_name_stands_for_its_hash_and_is_made_visible():
    assert version_labels([("x" * 40, "Better \u202e"), ("x" * 41, None)]) == {
        "x" * 40: "Better [U+202E]",
        "x" * 41: "xxxxxxxxx…xxxxxxxxxx",
    }


def test_versions_of_one_name_are_told_apart_by_their_hashes():
    assert version_labels([("x1", "Final"), ("x2", "Final"), ("x3", "Other"), ("x4", "x5"), ("x5", None)]) == {
        "x1": "Final (x1)",
        "x2": "Final (x2)",
        "x3": "Other",
        "x4": "x5 (x4)",
        "x5": "x5",
    }


def test_no_letter_is_cut_in_two():
    assert labels(f"{'v' * 8}{FAMILY}{'w' * 20}{ENGLAND}e\u0301\u202e") == [
        f"{'v' * 8}{FAMILY}…{'w' * 7}{ENGLAND}e\u0301[U+202E]"
    ]

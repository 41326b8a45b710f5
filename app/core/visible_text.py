"""Text that others chose: all of it is seen, and of long hashes that stand together what tells them apart."""

import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import cache
from itertools import pairwise, takewhile
from typing import Any

LONGEST_LABEL, LONGEST_DIGEST = 20, 16
"""So many letters of a hash are shown before it is shortened; of one of hexadecimal digits alone, fewer."""
_HEAD, _TAIL = 9, 10
_HEAD_OF_DIGEST = 12
_HEAD_OF_ALIKE = 6
_BEFORE_DIFFERENCE, _AFTER_DIFFERENCE = 4, 7
_CUT = "…"
_OPEN_BOX = "␣"

# These are letters by category, and yet nothing is seen of them.
_BLANK = "\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0"
_UNSEEN_CATEGORIES = ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")
_UNSEEN_OR_MARKS = (*_UNSEEN_CATEGORIES, "Mn", "Me")
_HEX_DIGITS = frozenset("0123456789abcdefABCDEF")

_EMOJI = r"\p{Extended_Pictographic}(?:\uFE0F|\p{EMod})?"
# What joins pictures, or makes a flag of a region, is seen in what they become.
_FLAG = r"\U0001F3F4[\U000E0030-\U000E0039\U000E0061-\U000E007A]{4,6}\U000E007F"
_JOINED = rf"{_EMOJI}(?:\u200D{_EMOJI})+|{_FLAG}"
# At the ends and side by side browsers leave spaces out.
_LOST_SPACES = r"^\p{Zs}+|\p{Zs}{2,}|\p{Zs}+$"
_LETTERS = r"\[U\+[0-9A-F]{4,6}\]|\X"


@cache
def _compiled(pattern: str) -> Any:
    """Not before a page is asked for: a process that only takes events spares 1.5 MB."""
    import regex  # noqa: PLC0415

    return regex.compile(pattern)


def visible_text(text: str) -> str:
    """What is not seen, or turns the direction of writing, stands as its number; joined emoji stay whole.

    Spaces that a browser would leave out are open boxes.
    """
    text = _compiled(_LOST_SPACES).sub(lambda found: "".join(map(_visible_space, found[0])), text)
    if text.isascii() and text.isprintable():
        return text
    parts, end = [], 0
    for joined in _compiled(_JOINED).finditer(text):
        parts += [*map(_visible, text[end : joined.start()]), joined[0]]
        end = joined.end()
    return "".join([*parts, *map(_visible, text[end:])])


def is_unseen(character: str) -> bool:
    """Whether a reader sees nothing of it: white space, controls, marks on what is before them, and the like."""
    return character.isspace() or unicodedata.category(character) in _UNSEEN_OR_MARKS or character in _BLANK


def version_labels(versions: Iterable[tuple[str, str | None]]) -> dict[str, str]:
    """What the versions that stand together are called, by their hashes: each by its name or its hash, made visible.

    Long hashes are shortened, and those that would look alike then are shown where they differ. A name that several
    have, or that another hash looks like, has its hash beside it.
    """
    names = dict(versions)
    labels = _labels_of_hashes(version_hash for version_hash, name in names.items() if name is None)
    labels |= {version_hash: visible_text(name) for version_hash, name in names.items() if name is not None}
    called = Counter(labels.values())
    alike = (
        version_hash for version_hash, name in names.items() if name is not None and called[labels[version_hash]] > 1
    )
    beside = _labels_of_hashes(alike)
    return labels | {version_hash: f"{labels[version_hash]} ({short})" for version_hash, short in beside.items()}


def version_label(version_hash: str, name: str | None) -> str:
    """The same of a version that stands alone."""
    return version_labels([(version_hash, name)])[version_hash]


def _labels_of_hashes(hashes: Iterable[str]) -> dict[str, str]:
    labels: dict[str, str] = {}
    long: dict[str, list[str]] = {}
    for version_hash in hashes:
        letters = _compiled(_LETTERS).findall(visible_text(version_hash))
        if len(letters) <= (LONGEST_DIGEST if _HEX_DIGITS.issuperset(letters) else LONGEST_LABEL):
            labels[version_hash] = "".join(letters)
        else:
            long[version_hash] = letters
    alike: dict[str, list[str]] = {}
    for version_hash, letters in long.items():
        alike.setdefault(_shortened(letters), []).append(version_hash)
    for label, same in alike.items():
        if len(same) == 1:
            labels[same[0]] = label
        else:
            labels |= _told_apart({version_hash: long[version_hash] for version_hash in same})
    return labels


def _shortened(letters: Sequence[str]) -> str:
    if _HEX_DIGITS.issuperset(letters):
        return "".join(letters[:_HEAD_OF_DIGEST]) + _CUT
    return "".join([*letters[:_HEAD], _CUT, *letters[-_TAIL:]])


def _told_apart(alike: dict[str, list[str]]) -> dict[str, str]:
    """Each with the place at which it differs from the one most like it; whole where that does not tell them apart."""
    in_order = sorted(alike.items(), key=lambda item: item[1])
    shared = [_length_shared(left, right) for (_, left), (_, right) in pairwise(in_order)]
    labels = {
        version_hash: _around(letters, max(shared[max(0, place - 1) : place + 1]))
        for place, (version_hash, letters) in enumerate(in_order)
    }
    if len(set(labels.values())) < len(labels):
        return {version_hash: "".join(letters) for version_hash, letters in alike.items()}
    return labels


def _length_shared(left: Sequence[str], right: Sequence[str]) -> int:
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(left, right, strict=False)))


def _around(letters: Sequence[str], place: int) -> str:
    start, end = place - _BEFORE_DIFFERENCE, place + _AFTER_DIFFERENCE
    head = [*letters[:_HEAD_OF_ALIKE], _CUT] if start > _HEAD_OF_ALIKE + 1 else []
    return "".join([*head, *letters[start if head else 0 : end], *([_CUT] if end < len(letters) else [])])


def _visible(character: str) -> str:
    is_seen = unicodedata.category(character) not in _UNSEEN_CATEGORIES and character not in _BLANK
    return character if is_seen else f"[U+{ord(character):04X}]"


def _visible_space(character: str) -> str:
    return _OPEN_BOX if character == " " else f"[U+{ord(character):04X}]"

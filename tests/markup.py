"""Text as somebody reads it in a piece of a page."""

import re
from html import unescape

_TAG = re.compile(r"<[^>]+>")


def text_of(markup: str) -> str:
    return unescape(_TAG.sub("", markup))

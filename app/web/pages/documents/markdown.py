"""The Markdown of docs/ as HTML for a page: headings with anchors, tables that scroll, commands that can be copied."""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from markupsafe import Markup

if TYPE_CHECKING:
    from markdown_it.token import Token

AddressOf = Callable[[str], str | None]
"""Where the target of a link is for who reads the page; None for one that is not served: its text stays."""

_CODE = Markup(
    '<div class="commands"><pre id="{id}" tabindex="0"><code>{code}</code></pre>'
    '<button class="button small" type="button" data-copy="{id}" hidden>Copy</button></div>\n'
)
_TABLE = Markup('<div class="table-scroll" tabindex="0" role="region" aria-label="Table: {label}">\n')


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """What a heading below the title begins. `level`: 2 for a section, more for one inside of it."""

    anchor: str
    title: str
    level: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RenderedDocument:
    """`html` is what stands below the title."""

    title: str
    html: Markup
    sections: Sequence[Section]


def render_markdown(text: str, address_of: AddressOf) -> RenderedDocument:
    """A document that begins with its title. HTML in it is shown as it is written.

    Raises ValueError for one without a title.
    """
    # 1 MB of memory, which only web processes pay whose documents are read
    from markdown_it import MarkdownIt  # noqa: PLC0415

    parser = MarkdownIt("commonmark", {"html": False}).enable("table")
    tokens = parser.parse(text)
    if not tokens or tokens[0].tag != "h1":
        raise ValueError("the document does not begin with its title")
    title, below = _plain(tokens[1]), tokens[3:]
    sections = list(_name_headings(below))
    _lead_links(below, address_of)
    html = parser.renderer.render(list(_for_a_page(below, title)), parser.options, {})
    return RenderedDocument(title=title, html=Markup(html), sections=sections)  # noqa: S704 - the parser escapes


def anchor_of(heading: str) -> str:
    """As the hosts of repositories make it, so that a link works there and here."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def _plain(inline: "Token") -> str:
    return "".join(" " if each.type == "softbreak" else each.content for each in inline.children or ())


def _name_headings(tokens: Sequence["Token"]) -> Iterator[Section]:
    for token, inline in pairwise(tokens):
        if token.type == "heading_open":
            section = Section(anchor=anchor_of(_plain(inline)), title=_plain(inline), level=int(token.tag[1:]))
            token.attrSet("id", section.anchor)
            yield section


def _lead_links(tokens: Sequence["Token"], address_of: AddressOf) -> None:
    for inline in tokens:
        served = True
        kept = []
        for token in inline.children or ():
            if token.type == "link_open":
                address = address_of(str(token.attrGet("href")))
                served = address is not None
                token.attrSet("href", address or "")
            if served or token.type not in ("link_open", "link_close"):
                kept.append(token)
        inline.children = kept if inline.children else inline.children


def _for_a_page(tokens: Sequence["Token"], title: str) -> Iterator["Token"]:
    label, tables = title, 0
    for number, token in enumerate(tokens):
        if token.type == "heading_open":
            label, tables = _plain(tokens[number + 1]), 0
        if token.type == "table_open":
            tables += 1
            yield _html(token, _TABLE.format(label=label if tables == 1 else f"{label}, {tables}"))
        if token.type == "th_open" and _plain(tokens[number + 1]):
            token.attrSet("scope", "col")
        elif token.tag == "th" and not _plain(tokens[number + (1 if token.nesting > 0 else -1)]):
            # a heading without words heads nothing
            token.tag = "td"
        if token.tag == "code":
            yield _html(token, _CODE.format(id=f"commands-{number}", code=token.content))
        else:
            yield token
        if token.type == "table_close":
            yield _html(token, Markup("</div>\n"))


def _html(like: "Token", html: Markup) -> "Token":
    return like.copy(type="html_block", tag="", content=str(html), children=None)

"""Tables that are searched, sorted by any column, and shown page by page, as an address says."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from werkzeug.datastructures import MultiDict

from app.web.pages.layout.paging import place_of, read_id

_Item = TypeVar("_Item")

ROWS_PER_PAGE = 50
LONGEST_SEARCH = 200


@dataclass(frozen=True, slots=True)
class Column(Generic[_Item]):
    """A column that can be sorted by; `value` is None where an item has no data, and that comes last."""

    key: str
    label: str
    value: Callable[[_Item], Any]
    is_number: bool = True


@dataclass(frozen=True, slots=True)
class Table(Generic[_Item]):
    """Its columns by their keys, in their order, and that by which it is sorted unless an address says otherwise."""

    columns: Mapping[str, Column[_Item]]
    sorted_by: str


def table(*columns: Column[_Item], sorted_by: str) -> Table[_Item]:
    return Table({column.key: column for column in columns}, sorted_by)


@dataclass(frozen=True, slots=True)
class TableQuery(Generic[_Item]):
    """What part of a table is asked for, and in which order."""

    table: Table[_Item]
    search: str
    sort: str
    descending: bool
    page: int

    @property
    def columns(self) -> list[Column[_Item]]:
        return list(self.table.columns.values())

    def arguments(self, **changes: str) -> dict[str, str]:
        """The query string that asks for it, with some of it changed; what is the default is left out."""
        given = {"q": self.search, "sort": self.sort, "order": "desc" if self.descending else "asc"} | changes
        if given["sort"] == self.table.sorted_by and given["order"] == self._first_order(given["sort"]):
            del given["sort"], given["order"]
        return {name: value for name, value in given.items() if value}

    def aria_sort(self, key: str) -> str | None:
        if key != self.sort:
            return None
        return "descending" if self.descending else "ascending"

    def sorted_by(self, key: str) -> dict[str, str]:
        """The query string of the same rows sorted by a column: numbers from the largest, then the other way round."""
        if key != self.sort:
            return self.arguments(sort=key, order=self._first_order(key))
        return self.arguments(order="asc" if self.descending else "desc")

    def _first_order(self, key: str) -> str:
        return "desc" if self.table.columns[key].is_number else "asc"


@dataclass(frozen=True, slots=True)
class TablePage(Generic[_Item]):
    """The rows of one page, by their numbers from `first` to `last` among all of them."""

    rows: list[_Item]
    number: int
    pages: int
    first: int
    last: int
    total: int


def read_table_query(of: Table[_Item], arguments: "MultiDict[str, str]") -> TableQuery[_Item]:
    """What a query string asks for; what makes no sense is the default."""
    sort = arguments.get("sort", of.sorted_by)
    if sort not in of.columns:
        sort = of.sorted_by
    order = arguments.get("order", "desc" if of.columns[sort].is_number else "asc")
    return TableQuery(
        table=of,
        # NUL is the one character that PostgreSQL does not take, and lone surrogates have no UTF-8
        search=arguments.get("q", "").strip()[:LONGEST_SEARCH].replace("\0", "").encode(errors="replace").decode(),
        sort=sort,
        descending=order != "asc",
        page=read_id(arguments.get("page")) or 1,
    )


def in_order(items: Sequence[_Item], query: TableQuery[_Item]) -> list[_Item]:
    """The items in the order that was asked for; among equals as they come."""
    value_of = query.table.columns[query.sort].value
    known = [item for item in items if value_of(item) is not None]
    unknown = [item for item in items if value_of(item) is None]
    return [*sorted(known, key=value_of, reverse=query.descending), *unknown]


def page_of(items: Sequence[_Item], query: TableQuery[_Item]) -> TablePage[_Item]:
    """The page that was asked for, or the last one where there are not so many."""
    place = place_of(query.page, len(items), per_page=ROWS_PER_PAGE)
    rows = in_order(items, query)[place.offset : place.offset + ROWS_PER_PAGE]
    return TablePage(rows, place.number, place.pages, place.offset + 1, place.offset + len(rows), len(items))

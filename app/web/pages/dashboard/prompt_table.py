"""The prompts of a project as a table: searched, sorted, page by page."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from werkzeug.datastructures import MultiDict

from app.core.analytics.decision import Finding
from app.core.analytics.project_overview import PromptSummary
from app.core.analytics.prompt_changes import ChangeMeasure
from app.web.pages.charts.changes import MEASURE_WORDS, change_of, clearest, worsening
from app.web.pages.layout.formatting import Change

ROWS_PER_PAGE = 50
LONGEST_SEARCH = 200


@dataclass(frozen=True, slots=True)
class Column:
    """A column that can be sorted by; `value` is None where a prompt has no data, and that comes last."""

    key: str
    label: str
    value: Callable[[PromptSummary], Any]
    is_number: bool = True


@dataclass(frozen=True, slots=True)
class PromptChange:
    """The clearest change of a prompt, and of what."""

    measure: str
    change: Change


def change_of_prompt(prompt: PromptSummary) -> PromptChange | None:
    """None where nothing has clearly changed."""
    found = clearest(prompt.changes)
    change = change_of(found[1]) if found else None
    return PromptChange(MEASURE_WORDS[found[0]], change) if found and change else None


def _worsening(prompt: PromptSummary) -> float | None:
    """The largest worsening first: what is not clear stands between worse and better, what has no past at the end."""
    found = clearest(prompt.changes)
    return worsening(found[1]) if found else 0.0 if prompt.changes else None


def _clearest(prompt: PromptSummary, value: Callable[[ChangeMeasure, Finding], object]) -> object:
    found = clearest(prompt.changes)
    return value(*found) if found else None


def _number(part: Literal["estimate", "low", "high"]) -> Callable[[PromptSummary], object]:
    """A ratio as a part of 1 more or less, of score the difference."""

    def number(_: ChangeMeasure, finding: Finding) -> float:
        value = float(getattr(finding.interval, part))
        return math.expm1(min(value, 700.0)) if finding.is_ratio else value

    return lambda prompt: _clearest(prompt, number)


COLUMNS = {
    column.key: column
    for column in (
        Column("prompt", "Prompt", lambda prompt: (prompt.name or str(prompt.prompt_id)).casefold(), is_number=False),
        Column("events", "Events", lambda prompt: prompt.usage.events),
        Column("cost", "Cost", lambda prompt: prompt.usage.cost_usd.sum),
        Column("score", "Mean score", lambda prompt: prompt.usage.score.mean),
        Column("p50", "p50", lambda prompt: prompt.usage.latency_ms.p50),
        Column("p95", "p95", lambda prompt: prompt.usage.latency_ms.p95),
        Column("change", "Change", _worsening),
        Column("seen", "Last seen", lambda prompt: prompt.last_seen),
    )
}
DEFAULT_SORT = "events"
CSV_COLUMNS: dict[str, Callable[[PromptSummary], object]] = {
    "prompt_id": lambda prompt: str(prompt.prompt_id),
    "prompt_name": lambda prompt: prompt.name,
    "events": lambda prompt: prompt.usage.events,
    "cost_usd": lambda prompt: prompt.usage.cost_usd.sum,
    "cost_share": lambda prompt: None if prompt.cost_share is None else round(prompt.cost_share, 6),
    "mean_score": lambda prompt: prompt.usage.score.mean,
    "p50_latency_ms": lambda prompt: prompt.usage.latency_ms.p50,
    "p95_latency_ms": lambda prompt: prompt.usage.latency_ms.p95,
    "changed": lambda prompt: _clearest(prompt, lambda measure, _: measure),
    "change": _number("estimate"),
    "change_low": _number("low"),
    "change_high": _number("high"),
    "last_seen": lambda prompt: prompt.last_seen,
}


@dataclass(frozen=True, slots=True)
class TableQuery:
    """What part of the table is asked for, and in which order."""

    search: str
    sort: str
    descending: bool
    page: int

    def arguments(self, **changes: str) -> dict[str, str]:
        """The query string that asks for it, with some of it changed; what is the default is left out."""
        given = {"q": self.search, "sort": self.sort, "order": "desc" if self.descending else "asc"} | changes
        if given["sort"] == DEFAULT_SORT and given["order"] == "desc":
            del given["sort"], given["order"]
        return {name: value for name, value in given.items() if value}

    def aria_sort(self, key: str) -> str | None:
        if key != self.sort:
            return None
        return "descending" if self.descending else "ascending"

    def sorted_by(self, key: str) -> dict[str, str]:
        """The query string of the same rows sorted by a column: numbers from the largest, then the other way round."""
        first = COLUMNS[key].is_number
        descending = not self.descending if key == self.sort else first
        return self.arguments(sort=key, order="desc" if descending else "asc")


@dataclass(frozen=True, slots=True)
class TablePage:
    """The rows of one page, by their numbers from `first` to `last` among all of them."""

    rows: list[PromptSummary]
    number: int
    pages: int
    first: int
    last: int
    total: int


def read_table_query(arguments: "MultiDict[str, str]") -> TableQuery:
    """What a query string asks for; what makes no sense is the default."""
    sort = arguments.get("sort", DEFAULT_SORT)
    if sort not in COLUMNS:
        sort = DEFAULT_SORT
    order = arguments.get("order", "desc" if COLUMNS[sort].is_number else "asc")
    page = arguments.get("page", "1")
    return TableQuery(
        # NUL is the one character that PostgreSQL does not take, and lone surrogates have no UTF-8
        search=arguments.get("q", "").strip()[:LONGEST_SEARCH].replace("\0", "").encode(errors="replace").decode(),
        sort=sort,
        descending=order != "asc",
        page=int(page) if page.isascii() and page.isdigit() and len(page) <= 6 else 1,
    )


def in_order(prompts: Sequence[PromptSummary], query: TableQuery) -> list[PromptSummary]:
    """The prompts in the order that was asked for; among equals the busiest first, as they come."""
    value_of = COLUMNS[query.sort].value
    known = [prompt for prompt in prompts if value_of(prompt) is not None]
    unknown = [prompt for prompt in prompts if value_of(prompt) is None]
    return [*sorted(known, key=value_of, reverse=query.descending), *unknown]


def page_of(prompts: Sequence[PromptSummary], query: TableQuery) -> TablePage:
    """The page that was asked for, or the last one where there are not so many."""
    pages = max(1, -(-len(prompts) // ROWS_PER_PAGE))
    number = min(max(1, query.page), pages)
    start = (number - 1) * ROWS_PER_PAGE
    rows = in_order(prompts, query)[start : start + ROWS_PER_PAGE]
    return TablePage(rows, number, pages, start + 1, start + len(rows), len(prompts))

"""What the address of a prompt's page says: a range, what chart and table show, and which versions are compared."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, Literal, NamedTuple

from flask import request

from app.core.analytics.prompt_overview import Choice
from app.core.analytics.prompt_versions import Shown, VersionSummary
from app.core.contract import LONGEST_VERSION_HASH
from app.core.errors import VersionNotFound
from app.web.pages.charts.measures import OF_VERSIONS, hidden_lines
from app.web.pages.layout.errors import PageError
from app.web.pages.layout.ranges import PageRange, read_range
from app.web.pages.layout.tables import Column, Table, TableQuery, read_table_query, table

VERSIONS: Table[VersionSummary] = table(
    Column("version", "Version", lambda version: (version.name or version.version_hash).casefold(), is_number=False),
    Column("events", "Events", lambda version: version.usage.events),
    Column("share", "Share", lambda version: version.share),
    Column("first", "First seen", lambda version: version.first_seen),
    Column("last", "Last seen", lambda version: version.last_seen),
    Column("cost", "Cost per event", lambda version: version.usage.cost_usd.mean),
    Column("p50", "p50", lambda version: version.usage.latency_ms.p50),
    Column("p95", "p95", lambda version: version.usage.latency_ms.p95),
    Column("p99", "p99", lambda version: version.usage.latency_ms.p99),
    Column("score", "Mean score", lambda version: version.usage.score.mean),
    sorted_by="first",
)
MOST_SHOWN = 50
"""So many versions can be named in an address for the page to be of them alone."""


class Address(NamedTuple):
    """Of this request. `metric`: what the chart is to show; None where that is not said.

    `only`: the hashes of the versions that the page is of, none where of all. `hidden`: those whose lines the chart is
    not to show.
    """

    now: datetime
    shown: PageRange
    metric: str | None
    choice: Choice
    only: tuple[str, ...]
    table: TableQuery[VersionSummary]
    hidden: tuple[str, ...]

    @property
    def shown_versions(self) -> Shown:
        return Shown(self.only, self.table.search)

    @property
    def chosen(self) -> dict[str, str]:
        """The versions chosen, as in the query string."""
        return {name: version_hash for name, version_hash in self.choice._asdict().items() if version_hash is not None}

    def kept_but(self, *left_out: Literal["range", "choice", "metric", "only", "table", "hidden"]) -> dict[str, Any]:
        """The query string without some of its parts."""
        parts: dict[str, dict[str, Any]] = {
            "range": self.shown.arguments,
            "choice": self.chosen,
            "metric": {"metric": self.metric} if self.metric is not None else {},
            "only": {"version": list(self.only)} if self.only else {},
            "table": self.table.arguments(),
            "hidden": {"hidden": list(self.hidden)} if self.hidden else {},
        }
        return {name: value for key, part in parts.items() if key not in left_out for name, value in part.items()}

    @property
    def kept(self) -> dict[str, Any]:
        """All but the range."""
        return self.kept_but("range")

    @property
    def arguments(self) -> dict[str, Any]:
        """The whole query string."""
        return self.kept_but()


def read_address() -> Address:
    """Of this request. What the chart cannot show is not said. Raises a 404 for what is no version."""
    now = datetime.now(UTC)
    metric = request.args.get("metric")
    return Address(
        now,
        read_range(request.args, now),
        metric if metric in OF_VERSIONS else None,
        Choice(_version("baseline"), _version("candidate")),
        _only(),
        read_table_query(VERSIONS, request.args),
        hidden_lines(request.args),
    )


def no_such_version(error: VersionNotFound | str) -> PageError:
    """What is said where an address names a version that is not there."""
    return PageError(
        404,
        "NOT_FOUND",
        "There is no such version",
        f"The prompt has no version with the hash that the address names as {error}, or none with events.",
    )


@contextmanager
def versions_looked_up() -> Iterator[None]:
    """Raises the 404 of a version that is named and is not there."""
    try:
        yield
    except VersionNotFound as error:
        raise no_such_version(error) from None


def _version(name: str) -> str | None:
    """An empty one is none. Raises a 404 for what no version can be called."""
    found = request.args.get(name) or None
    return None if found is None else _checked(found, name)


def _only() -> tuple[str, ...]:
    """Each once, in the order of the address. Raises a 404 for what no version can be called, and for too many."""
    named = tuple(dict.fromkeys(_checked(found, "version") for found in request.args.getlist("version") if found))
    if len(named) > MOST_SHOWN:
        raise PageError(404, "NOT_FOUND", "Those are too many", f"A page can be of at most {MOST_SHOWN} versions.")
    return named


def _checked(version_hash: str, name: str) -> str:
    # PostgreSQL takes no text with a NUL
    if len(version_hash) > LONGEST_VERSION_HASH or "\0" in version_hash:
        raise no_such_version(name)
    return version_hash

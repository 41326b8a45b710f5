"""What the address of a prompt's page says: a range, what the chart shows, and which versions are compared."""

from datetime import UTC, datetime
from typing import Any, NamedTuple

from flask import request

from app.core.analytics.prompt_overview import Choice
from app.core.contract import LONGEST_VERSION_HASH
from app.core.errors import VersionNotFound
from app.web.pages.charts.measures import OF_VERSIONS
from app.web.pages.layout.errors import PageError
from app.web.pages.layout.ranges import PageRange, read_range


class Address(NamedTuple):
    """Of this request. `metric`: what the chart is to show; None where that is not said."""

    now: datetime
    shown: PageRange
    metric: str | None
    choice: Choice

    @property
    def chosen(self) -> dict[str, str]:
        """The versions chosen, as in the query string."""
        return {name: version_hash for name, version_hash in self.choice._asdict().items() if version_hash is not None}

    @property
    def kept_but_versions(self) -> dict[str, str]:
        """What the chart shows, where that is said."""
        return {"metric": self.metric} if self.metric is not None else {}

    @property
    def kept(self) -> dict[str, str]:
        """All but the range."""
        return self.chosen | self.kept_but_versions

    @property
    def arguments(self) -> dict[str, Any]:
        """The whole query string."""
        return self.shown.arguments | self.kept


def read_address() -> Address:
    """Of this request. What the chart cannot show is not said. Raises a 404 for what is no version."""
    now = datetime.now(UTC)
    metric = request.args.get("metric")
    return Address(
        now,
        read_range(request.args, now),
        metric if metric in OF_VERSIONS else None,
        Choice(_version("baseline"), _version("candidate")),
    )


def no_such_version(error: VersionNotFound | str) -> PageError:
    """What is said where an address names a version that is not there."""
    return PageError(
        404,
        "NOT_FOUND",
        "There is no such version",
        f"The prompt has no version with the hash that the address names as {error}, or none with events.",
    )


def _version(name: str) -> str | None:
    """An empty one is none. Raises a 404 for what no version can be called."""
    found = request.args.get(name) or None
    # PostgreSQL takes no text with a NUL
    if found is not None and (len(found) > LONGEST_VERSION_HASH or "\0" in found):
        raise no_such_version(name)
    return found

"""What pages say of who sends more new prompts and versions than are registered."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from app.core.contract import OTHER_PROMPT, OTHER_VERSION
from app.core.operations.overflows import ToldOverflow, ToldOverflows
from app.core.queries.overflows import Overflow
from app.core.runbook import runbook_path
from app.web.pages.layout.formatting import count


@dataclass(frozen=True, slots=True)
class OverflowNotice:
    """`subject`: the name of the prompt, or its id, from which `text` goes on; None where it is about prompts.

    `keys`: how people know them.
    """

    subject: str | None
    project: str | None
    text: str
    keys: Sequence[str]


@dataclass(frozen=True, slots=True)
class OverflowNotices:
    shown: Sequence[OverflowNotice]
    more: bool
    what_to_do: str = runbook_path("counted_under_other")


def overflow_notices(told: ToldOverflows, now: datetime, *, with_projects: bool = False) -> OverflowNotices:
    """`with_projects`: where several are listed together."""
    return OverflowNotices([_notice(each, now, with_projects=with_projects) for each in told.shown], told.more)


def _notice(told: ToldOverflow, now: datetime, *, with_projects: bool) -> OverflowNotice:
    overflow = told.overflow
    return OverflowNotice(
        None if overflow.prompt_id is None else overflow.name or str(overflow.prompt_id),
        overflow.project if with_projects else None,
        _text(overflow, "today" if overflow.day == now.date() else "yesterday"),
        [f"{key.name} ({key.prefix}…)" for key in told.keys],
    )


def _text(overflow: Overflow, day: str) -> str:
    allowed = count(overflow.allowed)
    if overflow.prompt_id is None:
        return (
            f"More than {allowed} new prompt ids came {day}; events with further ones are counted under the prompt "
            f"{OTHER_VERSION}. A time stamp or a random number in prompt_id does this."
        )
    return (
        f"sent more than {allowed} new version hashes {day}; the rest is counted under {OTHER_VERSION}. "
        "A time stamp or a random number in version_hash does this."
    )


def is_other(name: object) -> bool:
    """Whether a prompt's id or a version's hash stands for many."""
    return name in (OTHER_PROMPT, OTHER_VERSION)

"""What the dashboard of a project without any event offers: a key, or whom to ask for one."""

from collections.abc import Sequence
from typing import NamedTuple

from app.core.queries.memberships import select_members
from app.web.pages.access.one_time_form import new_once
from app.web.request_context import visitor
from app.web.services import ask_database

NAMED_ADMINS = 5


class FirstSteps(NamedTuple):
    """For an admin `once`, the random value of the form that makes a key; for everybody else who can make one."""

    once: str | None
    admins: Sequence[str]


def first_steps() -> FirstSteps:
    if visitor().role == "admin":
        return FirstSteps(new_once(), ())
    members = ask_database(select_members, visitor().project_id)
    admins = [each.email for each in members if each.role == "admin" and each.has_joined and not each.is_disabled]
    return FirstSteps(None, admins[:NAMED_ADMINS])

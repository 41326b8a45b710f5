"""Users of Redis with few rights, and the rights that docs/managed-redis.md says are enough."""

import re
from urllib.parse import urlsplit, urlunsplit

from app.local.children import REPOSITORY

PASSWORD = "of-a-user-with-few-rights"


def documented_rules() -> list[str]:
    """As ACL SETUSER takes them, without the password."""
    text = (REPOSITORY / "docs" / "managed-redis.md").read_text()
    (block,) = re.findall(r"^```\nACL SETUSER prompt-analytics (.+?)^```$", text, re.DOTALL | re.MULTILINE)
    return [rule for rule in str(block).split() if rule != ">PASSWORD"]


def with_user(url: str, user: str) -> str:
    """The URL of the same server for this user."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=f"{user}:{PASSWORD}@{parts.hostname}:{parts.port}"))

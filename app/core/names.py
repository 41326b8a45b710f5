"""The rule for names that people give: of projects and API keys, and the shorter ones of prompts and versions."""

LONGEST_NAME = 200
LONGEST_LABEL = 80
"""Of a prompt or a version, which stands in tables and legends."""


def checked_name(text: str, *, longest: int = LONGEST_NAME) -> str:
    """The name without the space around it. Raises ValueError, whose message goes on after "The name"."""
    name = text.strip()
    if not name or len(name) > longest or not name.isprintable():
        raise ValueError(f"must have 1 to {longest} printable characters")
    return name

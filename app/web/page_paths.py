"""Which URLs are pages for people, with sessions and HTML errors, and which paths a browser may be sent on to."""

import re

_PAGE_FOLDERS = ("/login", "/logout", "/account", "/dashboard")
_HOME = "/dashboard"
# Printable ASCII only, and no backslash, which browsers take for a slash.
_OWN_PATH = re.compile(r"/(?:dashboard|account)(?:[/?][!-\[\]-~]*)?", re.ASCII)
_LONGEST_PATH = 2_000


def is_page_path(path: str) -> bool:
    """Whether the path belongs to the pages, whether or not something is there."""
    return path == "/" or path.startswith(_PAGE_FOLDERS)


def own_path(wanted: str | None) -> str:
    """Where to go after signing in: the path that was wanted if it is one of our pages, else the dashboard."""
    if wanted and len(wanted) <= _LONGEST_PATH and _OWN_PATH.fullmatch(wanted):
        return wanted
    return _HOME

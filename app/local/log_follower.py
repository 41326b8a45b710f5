"""Brings the errors of a log file to the terminal; all else stays in the file."""

import json
from pathlib import Path

SHOWN_LEVELS = {"ERROR", "CRITICAL"}
MOST_LINES_AT_ONCE = 10


class LogFollower:
    """Reads what was appended since the last look."""

    def __init__(self, name: str, path: Path) -> None:
        self._name = name
        self._path = path
        self._offset = 0
        self._rest = b""

    def new_errors(self) -> list[str]:
        """One line for each logged error, at most MOST_LINES_AT_ONCE, then how many more there are."""
        with self._path.open("rb") as log:
            log.seek(self._offset)
            appended = log.read()
        self._offset += len(appended)
        *lines, self._rest = (self._rest + appended).split(b"\n")
        errors = [text for line in lines if (text := error_text(line))]
        shown = [f"{self._name}: {text}" for text in errors[:MOST_LINES_AT_ONCE]]
        if len(errors) > MOST_LINES_AT_ONCE:
            shown.append(f"{self._name}: {len(errors) - MOST_LINES_AT_ONCE} more errors, see {self._path}")
        return shown


def error_text(line: bytes) -> str | None:
    """The message of a JSON log line, with the last line of its exception, if it is an error."""
    try:
        entry = json.loads(line)
        if entry["level"] not in SHOWN_LEVELS:
            return None
        message = str(entry["message"])
    except (ValueError, KeyError, TypeError):
        return None
    exception = str(entry.get("exception") or "").strip()
    return f"{message}: {exception.splitlines()[-1].strip()}" if exception else message

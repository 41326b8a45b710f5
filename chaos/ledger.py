"""The ledger: what a client is about to send, written before it is sent, and what it was told (format: check.py)."""

import os
from collections import Counter
from pathlib import Path
from typing import Self


class Ledger:
    """The file of one client, which sends one request after another.

    Each line is one write to the file, so that it is there whatever becomes of the client a moment later.
    """

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)

    def intend(self, first: int, count: int) -> None:
        """Before the request is sent."""
        self._write(f"S {first} {count}\n")

    def acknowledged(self, first: int, count: int, *, repeated: bool = False) -> None:
        self._write(f"{'D' if repeated else 'A'} {first} {count}\n")

    def refused(self, first: int, count: int, status: int) -> None:
        """The service says that it has surely not stored them."""
        self._write(f"R {first} {count} {status}\n")

    def unknown(self, first: int, count: int, status: int = 0) -> None:
        """Nobody knows whether they are stored; without a status there was no answer."""
        self._write(f"U {first} {count} {status}\n")

    def planted(self, count: int) -> None:
        """So many entries were put into the buffer by other hands, and can never be stored."""
        self._write(f"X {count}\n")

    def close(self) -> None:
        os.close(self._file)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _write(self, line: str) -> None:
        os.write(self._file, line.encode())


class Progress:
    """Counts what growing ledgers say, reading on from where it was."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._offsets: dict[Path, int] = {}
        self._events: Counter[str] = Counter()

    def events(self, word: str = "A") -> int:
        """How many events have lines of this kind by now."""
        for path in self._folder.glob("*.ledger"):
            offset = self._offsets.get(path, 0)
            with path.open("rb") as file:
                file.seek(offset)
                lines = file.read()
            whole = lines[: lines.rfind(b"\n") + 1]
            self._offsets[path] = offset + len(whole)
            for line in whole.splitlines():
                parts = line.split()
                self._events[parts[0].decode()] += int(parts[2]) if len(parts) > 2 else int(parts[1])
        return self._events[word]

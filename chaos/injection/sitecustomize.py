"""Loaded by every Python process of a service under test: crashes it at a named point, or sabotages it.

The file that CHAOS_INJECTION names says what is to be done. It is done to modules right after they were imported, and
before anybody took a name out of them, so nothing of the service knows of it. What can't be done any more, because a
name has gone, ends the process with a line in the file `failed`, and the run with it.
"""

import importlib.abc
import importlib.machinery
import json
import os
import signal
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

SABOTAGED_LENGTH = 100
LATE_SECONDS = 0.5

Patch = Callable[[ModuleType], None]


def crash_point(point: dict[str, Any], folder: Path) -> tuple[str, Patch]:
    """Kill -9 of this process at the so-manieth passing of a function, as long as `limit` crashes are not reached."""
    module_name, _, path = point["target"].partition(":")
    *owners, name = path.split(".")
    passings = 0

    def pass_by() -> None:
        nonlocal passings
        passings += 1
        if passings != 1 + os.getpid() % point["spread"]:
            return
        crashes = folder / f"crashes-{point['name']}"
        with crashes.open("ab") as file:
            if file.tell() < point["limit"]:
                file.write(b".")
                file.flush()
                os.kill(os.getpid(), signal.SIGKILL)

    def patch(module: ModuleType) -> None:
        owner: Any = module
        for each in owners:
            owner = getattr(owner, each)
        original = getattr(owner, name)

        def passed(*args: Any, **kwargs: Any) -> Any:
            if point["when"] == "before":
                pass_by()
            result = original(*args, **kwargs)
            if point["when"] == "after" and brought_something(result):
                pass_by()
            return result

        setattr(owner, name, passed)

    return module_name, patch


def brought_something(result: Any) -> bool:
    """An empty claim is no claim; what says nothing counts."""
    entries = result[1] if type(result) is tuple and len(result) > 1 else result
    return bool(entries) or not isinstance(entries, list)


def dedupe_off(events: ModuleType) -> None:
    """Every delivery is an event of its own."""
    decode = events.decode_event
    events.decode_event = lambda payload: decode(payload)._replace(event_id=os.urandom(16))  # type: ignore[attr-defined]


def acknowledged_before_commit(buffer: ModuleType) -> None:
    """What is read is acknowledged at once."""
    events = buffer.EventBuffer
    read_new, claim_stale = events.read_new, events.claim_stale

    def read(self: Any, *args: Any, **kwargs: Any) -> Any:
        entries = read_new(self, *args, **kwargs)
        self.acknowledge([entry.entry_id for entry in entries])
        return entries

    def claim(self: Any, *args: Any, **kwargs: Any) -> Any:
        cursor, entries = claim_stale(self, *args, **kwargs)
        self.acknowledge([entry.entry_id for entry in entries])
        return cursor, entries

    events.read_new, events.claim_stale = read, claim


def trimmed_by_length(appending: ModuleType) -> None:
    """The stream forgets its oldest entries, read or not."""
    add = "local function add(payload, label)\n"
    scripts = {name: text for name, text in vars(appending).items() if isinstance(text, str) and add in text}
    if not scripts:
        raise LookupError("no script that appends")
    for name, text in scripts.items():
        setattr(
            appending, name, text.replace(add, f"{add} redis.call('XTRIM', stream, 'MAXLEN', '{SABOTAGED_LENGTH}')\n")
        )


def answered_before_redis(buffer: ModuleType) -> None:
    """After the first append of a process, each is done a moment later, when the answer has long been sent."""
    events = buffer.EventBuffer
    append, answers = events.append_packed, list[Any]()

    def append_later(self: Any, *args: Any, **kwargs: Any) -> Any:
        from gevent import spawn_later  # noqa: PLC0415 - not in the master, where nothing is patched yet

        if not answers:
            answers.append(append(self, *args, **kwargs))
        else:
            spawn_later(LATE_SECONDS, append, self, *args, **kwargs)
        return answers[0]

    events.append_packed = append_later


def folded_in_two_transactions(additions: ModuleType) -> None:
    """What was taken out of the additions stays out, whatever becomes of the rollups."""
    take = additions.take_additions

    def take_and_commit(connection: Any, *args: Any, **kwargs: Any) -> Any:
        taken = take(connection, *args, **kwargs)
        connection.execute("COMMIT AND CHAIN")
        return taken

    additions.take_additions = take_and_commit  # type: ignore[attr-defined]


SABOTAGES: dict[str, tuple[str, Patch]] = {
    "dedupe off": ("app.core.stream.events", dedupe_off),
    "XACK before COMMIT": ("app.core.stream.buffer", acknowledged_before_commit),
    "fold in two transactions": ("app.core.queries.additions", folded_in_two_transactions),
    "stream trimmed by length": ("app.core.stream.appending", trimmed_by_length),
    "204 before Redis answered": ("app.core.stream.buffer", answered_before_redis),
}


class PatchingFinder(importlib.abc.MetaPathFinder):
    """Finds modules as usual, and has the patches of a module follow its import."""

    def __init__(self, patches: Sequence[tuple[str, str, Patch]], folder: Path) -> None:
        self._patches = patches
        self._folder = folder

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        mine = [(name, patch) for name, module, patch in self._patches if module == fullname]
        spec = importlib.machinery.PathFinder.find_spec(fullname, path, target) if mine else None
        if spec is None or spec.loader is None:
            return None
        execute = spec.loader.exec_module

        def execute_and_patch(module: ModuleType) -> None:
            execute(module)
            for name, patch in mine:
                self._apply(name, patch, module)

        spec.loader.exec_module = execute_and_patch  # type: ignore[method-assign]
        return spec

    def _apply(self, name: str, patch: Patch, module: ModuleType) -> None:
        try:
            patch(module)
        except Exception as error:
            with (self._folder / "failed").open("a") as file:
                file.write(f"{name}: {type(error).__name__}: {error}\n")
            raise
        (self._folder / f"applied-{name}").write_text(str(time.time()))


def install(plan_path: Path) -> None:
    plan = json.loads(plan_path.read_text())
    folder = plan_path.parent
    patches = [(point["name"], *crash_point(point, folder)) for point in plan.get("crashes", [])]
    patches += [(name, *SABOTAGES[name]) for name in plan.get("sabotages", [])]
    if patches:
        sys.meta_path.insert(0, PatchingFinder(patches, folder))


if "CHAOS_INJECTION" in os.environ:
    install(Path(os.environ["CHAOS_INJECTION"]))

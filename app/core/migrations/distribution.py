"""An existing installation on a Citus coordinator becomes a distributed one, one table after the other.

Events are spread by their id, and what is summed up of them by its prompt: by project, a large one would lie on one
server. What both are joined with is copied to every node. All else, accounts and the ledger among it, stays on the
coordinator, where it was.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

from app.core.database import Connection
from app.core.errors import Rejected
from app.core.queries.distribution import (
    NODE_SETTINGS,
    Placement,
    copy_to_every_node,
    drop_foreign_key,
    drop_remains,
    is_coordinator,
    number_on,
    select_citus_version,
    select_foreign_keys,
    select_missing_settings,
    select_placements,
    select_table_bytes,
    select_tables_with_remains,
    select_worker_nodes,
    set_on_every_node,
    spread_beside,
    spread_by,
)

COPIED = ("prompts", "prompt_versions")
STAYING = "projects"
"""What is copied must not refer to it: Citus would put all that refers to it under rules of its own, too."""
SPREAD_BY = {"events": "event_id", "rollups": "prompt_key", "rollup_additions": "prompt_key"}
BESIDE = {"rollup_additions": "rollups"}
"""A fold moves rows from one to the other, and questions read both: so they lie side by side."""
DEFAULT_SHARDS = 32
"""Of events and of rollups, as Citus itself has it: so many nodes there can ever be of use."""


@dataclass(frozen=True, slots=True)
class Step:
    """Something that is left to do, in words for a person. `run` does it, and can be repeated where it failed."""

    words: str
    run: Callable[[Connection], None]


def remaining_steps(connection: Connection, *, shards: int = DEFAULT_SHARDS) -> list[Step]:
    """What is left to do, none where the database is distributed.

    Raises Rejected, with what to do about it, where it cannot be: without the extension, on a worker node, without
    worker nodes, or where somebody has distributed a table in another way.
    """
    _expect_coordinator(connection)
    placements = select_placements(connection, [*COPIED, *SPREAD_BY])
    for table, column in SPREAD_BY.items():
        _expect_placement(placements, table, column)
    for table in COPIED:
        _expect_placement(placements, table, None)
    return [*_keys_to_drop(connection), *_tables_to_place(connection, placements, shards), *_rest(connection)]


def distribute(
    connection: Connection, *, shards: int = DEFAULT_SHARDS, tell: Callable[[str], None] = lambda _words: None
) -> None:
    """Do what is left, telling of each step before it begins; as `remaining_steps`.

    Each step stands for itself: where one fails, or this process ends, the next call goes on with the rest. Writers
    wait while a table is copied. Whoever calls it holds the lock of migrations, on a connection in autocommit mode.
    """
    # what a step leaves behind is known only after it
    while steps := remaining_steps(connection, shards=shards):
        for step in steps:
            tell(step.words)
            step.run(connection)


def _expect_coordinator(connection: Connection) -> None:
    if select_citus_version(connection) is None:
        raise Rejected(
            "this database has no Citus: install the extension on every server, and run CREATE EXTENSION citus "
            "in the database of that name on each"
        )
    if not is_coordinator(connection):
        raise Rejected(
            "this server is not the coordinator, or does not know its own address: connect to the coordinator, "
            "and run SELECT citus_set_coordinator_host('its address', port) there"
        )
    if not select_worker_nodes(connection):
        raise Rejected("there are no worker nodes: add each by SELECT citus_add_node('its address', port)")


def _expect_placement(placements: dict[str, Placement], table: str, column: str | None) -> None:
    placed = placements.get(table)
    beside = placements.get(BESIDE.get(table, table))
    if placed is None:
        return
    if placed.column != column or (beside is not None and placed.colocation != beside.colocation):
        raise Rejected(
            f"the table {table} is distributed in another way than this release needs: "
            f"SELECT undistribute_table('{table}') takes that back"
        )


def _keys_to_drop(connection: Connection) -> Iterator[Step]:
    for key in select_foreign_keys(connection, COPIED, to=STAYING):
        yield Step(f"drop the foreign key {key.name}", partial(drop_foreign_key, key=key))


def _tables_to_place(connection: Connection, placements: dict[str, Placement], shards: int) -> Iterator[Step]:
    for table in COPIED:
        if table not in placements:
            words = f"copy {table} to every node ({_size(connection, table)})"
            yield Step(words, partial(_copy, table=table))
    for table, column in SPREAD_BY.items():
        if table in placements:
            continue
        if (beside := BESIDE.get(table)) is None:
            words = f"spread {table} by {column} over {shards} shards ({_size(connection, table)})"
            yield Step(words, partial(spread_by, table=table, column=column, shards=shards))
        else:
            words = f"spread {table} by {column} beside {beside} ({_size(connection, table)})"
            yield Step(words, partial(spread_beside, table=table, column=column, beside=beside))


def _copy(connection: Connection, table: str) -> None:
    """Citus makes anew what refers to the table, and begins to number its rows at 1 again: as if all new were known."""
    with connection.transaction():
        copy_to_every_node(connection, table)
        for each in COPIED:
            number_on(connection, each)


def _rest(connection: Connection) -> Iterator[Step]:
    placed = select_placements(connection, [*COPIED, *SPREAD_BY])
    for table in sorted(placed):
        for part in select_tables_with_remains(connection, table):
            yield Step(f"empty what is left of {part} on the coordinator", partial(drop_remains, table=part))
    if missing := select_missing_settings(connection):
        values = ", ".join(f"{name} = {NODE_SETTINGS[name]}" for name in missing)
        words = f"set for this role in this database, on every node: {values}"
        yield Step(words, partial(set_on_every_node, names=missing))


def _size(connection: Connection, table: str) -> str:
    return f"{select_table_bytes(connection, table) / 1e6:,.0f} MB"

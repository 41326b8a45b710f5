"""The import law of the house, and the places where only one file may do a thing."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[1]
PACKAGES = ("app", "worker", "config")

# What the modules under a name may import of this repository; the longest name that fits a module counts.
GROUND = tuple(
    f"app.core.{name}"
    for name in (
        *("acknowledgements", "background", "cluster_map", "contract", "database", "errors", "fixed_window", "names"),
        *("pooled_connection", "redis_client", "redis_cluster", "reply_deadline", "runbook", "visible_text"),
    )
)
QUERIES = (*GROUND, "app.core.queries", "app.core.rollups")
ALLOWED = {
    "app.core": GROUND,
    "app.core.migrations": (*GROUND, "app.core.migrations", "app.core.queries"),
    "app.core.rollups": ("app.core.errors", "app.core.rollups"),
    "app.core.queries": QUERIES,
    "app.core.stream": (*QUERIES, "app.core.stream"),
    "app.core.keys": (*QUERIES, "app.core.keys"),
    "app.core.accounts": (*QUERIES, "app.core.accounts"),
    "app.core.analytics": (*QUERIES, "app.core.analytics"),
    "app.core.news": (*QUERIES, "app.core.news"),
    "app.core.transfer": (*QUERIES, "app.core.stream.events", "app.core.transfer"),
    "app.core.operations": (*QUERIES, "app.core.operations", "app.core.stream", "app.core.migrations"),
    "app.web": ("app.core", "app.web"),
    "app.web.fast": ("app.web.fast", "app.web.gunicorn_worker"),
    "app.web.fast.flights": ("app.core.stream.appending",),
    "app.web.fast.lean_way": ("app.core", "app.web"),
    "app.web.pages.layout": (
        *("app.core", "app.web.api.times", "app.web.assets", "app.web.errors", "app.web.request_context"),
        "app.web.pages.layout",
    ),
    "app.web.pages.charts": ("app.core", "app.web.pages.charts", "app.web.pages.layout"),
    "app.local": ("app.core", "app.local"),
    "app.demo": ("app.core.contract", "app.core.errors", "app.demo"),
    "app.commands": ("app.core", "app.local", "app.demo", "app.commands", "config"),
    "worker": (
        *QUERIES,
        *(f"app.core.{room}" for room in ("analytics", "news", "operations.tallies", "stream")),
        "worker",
    ),
    "config": ("config",),
}

# What they must not import of others.
FORBIDDEN = {
    "app.core": ("flask", "werkzeug", "rq", "alembic", "sqlalchemy"),
    "app.core.migrations": ("flask", "rq"),
    "app.core.rollups": ("flask", "rq", "alembic", "sqlalchemy", "psycopg", "redis"),
    "app.web": ("alembic", "sqlalchemy"),
    "worker": ("flask", "werkzeug", "alembic", "sqlalchemy"),
    "app.local": ("flask", "rq"),
    "app.demo": ("flask", "rq", "psycopg", "redis"),
    "app.commands": ("flask", "rq"),
    "config": ("flask", "rq", "psycopg", "redis"),
}

# The composition roots read config; everything else takes values. Each exemption with its reason.
MAY_IMPORT = {
    "app.web.application": {"config": "create_app builds the web process from the settings"},
    "app.web.pages.api_keys.forms": {"config.settings": "a key's own limit is checked as the default is"},
    "app.web.pages.webhooks.forms": {"config.settings": "the words of the settings that allow an address"},
    "app.web.services": {"config.settings": "the type of the settings that the services carry"},
    "worker.__main__": {"config": "builds the worker process from the settings"},
    "app.local.__main__": {"config": "`make run` says what is wrong with a setting before it starts anything"},
    "app.local.supervisor": {"config.settings": "starts web and worker with the settings that they will read"},
}

CATCHERS = {
    "psycopg": {
        "app.core.database": "translates psycopg's errors into core's",
        "app.core.pooled_connection": "a pooler's refusal of settings, which are then sent another way",
        "app.core.reply_deadline": "closes a connection that nobody answers, and hands the error on",
    },
    "redis": {
        "app.core.redis_client": "translates redis errors into core's",
        "app.core.redis_cluster": "a node that points at another is asked no more, and one that is lost is found again",
        "app.core.cluster_map": "a node that does not know the cluster is passed by",
        "app.web.fast.shared_connection": "a refusal is an answer like any other, and goes to the one who asked",
    },
    "sqlalchemy": {
        "app.core.migrations.runner": "takes psycopg's error out of SQLAlchemy's wrapping, for database_errors",
    },
}

ENVIRONMENT_READERS = {
    "config.settings": "the one reader of settings",
    "config.gunicorn": "prometheus_client takes the folder of its counters from a variable",
    "app.local.binaries": "looks for PostgreSQL and Redis on the PATH",
    "app.local.__main__": "hands the environment on to the processes it starts",
}


def modules() -> Iterator[tuple[str, Path]]:
    for package in PACKAGES:
        for path in sorted((REPOSITORY / package).rglob("*.py")):
            parts = path.relative_to(REPOSITORY).with_suffix("").parts
            yield ".".join(parts[:-1] if parts[-1] == "__init__" else parts), path


MODULES = dict(modules())


@cache
def tree_of(name: str) -> ast.Module:
    """Not while tests are collected, which each process does that runs some of them."""
    return ast.parse(MODULES[name].read_text())


def imports(tree: ast.AST) -> set[str]:
    """Dotted names; `from a import b` counts as a.b, which may be a module."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute here"
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def within(name: str, package: str) -> bool:
    return name == package or name.startswith(f"{package}.")


def longest_match(name: str, packages: dict[str, tuple[str, ...]]) -> tuple[str, ...]:
    return packages[max((package for package in packages if within(name, package)), key=len)]


def is_placed(name: str) -> bool:
    return any(within(name, place) for place in ALLOWED)


@pytest.mark.parametrize("name", [name for name in MODULES if is_placed(name)])
def test_it_imports_only_what_its_place_in_the_house_allows(name: str):
    allowed = (*longest_match(name, ALLOWED), *MAY_IMPORT.get(name, {}))
    imported = imports(tree_of(name))
    ours = [each for each in imported if any(within(each, package) for package in PACKAGES)]
    assert [each for each in ours if not any(within(each, package) for package in allowed)] == []
    others = longest_match(name, FORBIDDEN)
    assert [each for each in imported if any(within(each, package) for package in others)] == []


def test_every_module_has_a_place_in_the_house():
    assert [name for name in MODULES if not is_placed(name)] == ["app", "app.__main__"]


@pytest.mark.parametrize("library", CATCHERS)
def test_only_one_place_catches_the_errors_of_a_server(library: str):
    catchers = {name for name in MODULES if caught_names(tree_of(name)) & names_from(tree_of(name), library)}
    assert catchers == set(CATCHERS[library])


def caught_names(tree: ast.Module) -> set[str]:
    """The first parts of what except clauses and suppress() name."""
    caught: list[ast.expr] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.ExceptHandler) and node.type is not None:
            caught.append(node.type)
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith("suppress"):
            caught += node.args
    return {part.id for each in caught for part in ast.walk(each) if isinstance(part, ast.Name)}


def names_from(tree: ast.Module, library: str) -> set[str]:
    """What the names that were imported from the library (or psycopg_pool beside psycopg) are called here."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            origins = {(alias.asname or alias.name).split(".")[0]: alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            origins = {alias.asname or alias.name: str(node.module) for alias in node.names}
        else:
            continue
        found |= {name for name, origin in origins.items() if origin.split(".")[0] in (library, f"{library}_pool")}
    return found


def attributes(tree: ast.Module) -> set[str]:
    """As they are written: os.path, self.name."""
    return {ast.unparse(node) for node in ast.walk(tree) if isinstance(node, ast.Attribute)}


def test_only_the_settings_read_the_environment():
    ways = {"os.environ", "os.getenv", "os.environb"}
    readers = {name for name in MODULES if (attributes(tree_of(name)) | imports(tree_of(name))) & ways}
    assert readers <= set(ENVIRONMENT_READERS)
    assert {name for name in readers if not within(name, "app.local")} == {"config.settings", "config.gunicorn"}


@pytest.mark.parametrize(
    ("module", "unwanted"),
    [
        ("app.__main__", ("pyarrow",)),
        ("worker.jobs", ("flask", "app.web", "alembic", "sqlalchemy", "psycopg")),
        ("worker.__main__", ("flask", "app.web", "alembic", "sqlalchemy", "gunicorn", "cryptography.hazmat", "numpy")),
        ("worker.__main__", ("pyarrow", "app.core.transfer")),
        ("app.core.migrations", ("flask", "alembic", "sqlalchemy")),
        ("app.web", ("worker", "alembic", "sqlalchemy")),
        ("app.web.application", ("app.core.transfer", "cryptography.hazmat", "httpcore", "numpy", "pyarrow", "regex")),
        ("app.web.gunicorn_worker", ("psycopg", "flask", "redis", "app.core.database")),
        ("app.web.fast.gunicorn", ("psycopg", "flask", "redis", "app.core.database")),
        ("config.logging", ("psycopg", "flask", "redis")),
    ],
)
def test_importing_it_brings_in_no_more_than_it_needs(module: str, unwanted: tuple[str, ...]):
    code = f"import sys, {module}; print(*(name for name in {unwanted!r} if name in sys.modules))"
    assert run_python(code) == ""


def test_gunicorns_configuration_does_not_bring_in_psycopg():
    code = (
        "import runpy, sys; sys.argv = ['gunicorn'];"
        "runpy.run_path('config/gunicorn.py');"
        "print(*(name for name in ('psycopg', 'redis', 'flask', 'gevent') if name in sys.modules))"
    )
    settings = {"DATABASE_URL": "postgres://h/d", "REDIS_URL": "redis://h", "SECRET_KEY": "s" * 32}
    assert run_python(code, **settings) == ""


def test_nothing_connects_and_nothing_starts_when_it_is_imported():
    names = [name for name in MODULES if not name.endswith("__main__") and not name.startswith("app.core.migrations.")]
    code = (
        "import importlib, socket, sys, threading\n"
        "def refuse(*_): raise AssertionError('connected at import')\n"
        "socket.socket.connect = refuse\n"
        f"for name in {[name for name in names if name != 'config.gunicorn']!r}: importlib.import_module(name)\n"
        "print(*(thread.name for thread in threading.enumerate() if thread is not threading.main_thread()))"
    )
    assert run_python(code) == ""


def run_python(code: str, **environment: str) -> str:
    """What it prints. No settings and no servers are in sight."""
    finished = subprocess.run(
        [sys.executable, "-c", code], cwd=REPOSITORY, env=environment, capture_output=True, text=True, check=False
    )
    assert finished.returncode == 0, finished.stderr
    return finished.stdout.strip()

"""Modules and functions stay short enough to be read at once."""

import ast
from pathlib import Path

REPOSITORY = Path(__file__).parents[1]
FOLDERS = ("app", "worker", "config", "bench", "chaos", "tests")
LONGEST_MODULE = 250
LONGEST_FUNCTION = 40
"""In lines, its docstring not counted."""


def python_files() -> list[Path]:
    return [path for folder in FOLDERS for path in sorted((REPOSITORY / folder).rglob("*.py"))]


def test_no_module_is_longer_than_one_can_read():
    lengths = {str(path.relative_to(REPOSITORY)): len(path.read_text().splitlines()) for path in python_files()}
    assert {path: lines for path, lines in lengths.items() if lines > LONGEST_MODULE} == {}


def test_no_function_is_longer_than_one_can_read():
    too_long = {
        f"{path.relative_to(REPOSITORY)}:{node.name}": lines
        for path in python_files()
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and (lines := body_lines(node)) > LONGEST_FUNCTION
    }
    assert too_long == {}


def body_lines(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    first, *others = function.body
    has_docstring = isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and bool(others)
    begin = (others[0] if has_docstring else first).lineno
    return (function.end_lineno or begin) - begin + 1

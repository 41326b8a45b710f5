"""Every route of the pages for people, for tests that walk them all."""

from dataclasses import dataclass

from flask import Flask
from werkzeug.routing import FloatConverter, IntegerConverter, Rule, UUIDConverter

SAFE_METHODS = {"GET", "HEAD"}
EXAMPLE_ID = 1
EXAMPLE_UUID = "123e4567-e89b-12d3-a456-426614174000"
PAGES = "pages_"


@dataclass(frozen=True)
class PageRoute:
    """`access` is admin, member, user, or None for a page that is open to everybody."""

    endpoint: str
    method: str
    path: str
    access: str | None

    def __str__(self) -> str:
        return f"{self.method} {self.path}"

    @property
    def is_of_a_project(self) -> bool:
        return self.access in {"admin", "member"}


def page_routes(app: Flask) -> list[PageRoute]:
    """One for each method and rule, with examples for the variables of the path."""
    found = [
        PageRoute(rule.endpoint, method, _path(rule), app.view_functions[rule.endpoint].__dict__["access"])
        for rule in app.url_map.iter_rules()
        if rule.endpoint.startswith(PAGES)
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    ]
    assert len({route.endpoint for route in found}) > 10, "the walk finds no pages"
    return found


def _path(rule: Rule) -> str:
    values: dict[str, object] = {}
    for name in rule.arguments:
        converter = rule._converters[name]
        assert not isinstance(converter, FloatConverter)
        if isinstance(converter, IntegerConverter):
            values[name] = EXAMPLE_ID
        else:
            values[name] = EXAMPLE_UUID if isinstance(converter, UUIDConverter) else "example"
    built = rule.build(values)
    assert built is not None
    return str(built[1])

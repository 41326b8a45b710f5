"""/docs/runbook and the other documents for people who run and use the service, as they are in the release.

They are read when PostgreSQL or Redis is down and nobody can sign in, so they ask no server for anything.
"""

from pathlib import Path

from flask import Blueprint, Response, abort

from app.core.runbook import DOCUMENTS_PATH
from app.web.access import public
from app.web.compression import kept_answer
from app.web.pages.documents.markdown import RenderedDocument, render_markdown
from app.web.pages.layout.rendering import NavigationItem, page, with_security_headers

DOCUMENTS = {
    "runbook": "Runbook",
    "operations": "Operations",
    "postgresql": "PostgreSQL",
    "managed-redis": "Managed Redis",
    "grafana-and-sql": "Grafana and SQL",
    "security": "Security",
    "dashboard": "Dashboard",
    "statistics": "Statistics",
    "what-changed": "What changed",
    "news": "News",
    "api": "API",
}
"""The closed list: by name of the file in docs/, what the header calls it. The rest is for who changes the code."""

NAVIGATION = (
    *(NavigationItem(name, label, f"{DOCUMENTS_PATH}/{name}") for name, label in DOCUMENTS.items()),
    NavigationItem("reference", "API reference", DOCUMENTS_PATH),
)

_FOLDER = Path(__file__).resolve().parents[4] / "docs"

blueprint = Blueprint("documents", __name__)
blueprint.after_request(with_security_headers)


@public("whoever runs the service needs them when nobody can sign in; every copy of the source has them")
def document(name: str) -> Response:
    """A page without a session, the same for everybody; 404 where the deploy left the file out."""
    if not (_FOLDER / f"{name}.md").is_file():
        abort(404)
    answer = kept_answer(f"documents/{name}", lambda: _page(name), "text/html")
    answer.headers["Cache-Control"] = "no-cache"
    return answer


# one rule for each, which comes before the files of /docs
for _name in DOCUMENTS:
    blueprint.get(f"{DOCUMENTS_PATH}/{_name}", defaults={"name": _name})(document)


def _page(name: str) -> bytes:
    """Takes a tenth of a second."""
    return page("documents/document.html", active=name, document=rendered(name), navigation=NAVIGATION).get_data()


def rendered(name: str) -> RenderedDocument:
    """Raises FileNotFoundError."""
    return render_markdown((_FOLDER / f"{name}.md").read_text(encoding="utf-8"), address_of)


def address_of(target: str) -> str | None:
    """Where a link of a document leads from its page; None to what is not served."""
    path, _, fragment = target.partition("#")
    if not path or path.startswith("https://"):
        return target
    name = path.removesuffix(".md")
    if name not in DOCUMENTS or name == path:
        return None
    return f"{DOCUMENTS_PATH}/{name}" + (f"#{fragment}" if fragment else "")

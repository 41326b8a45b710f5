"""/dashboard/news: what happened in the project, the newest first, for all its members."""

from collections.abc import Callable

from flask import request
from werkzeug.wrappers import Response

from app.core.news.message import message_name
from app.core.news.sentences import names_of_hashes, page_path
from app.core.queries.news import WrittenNews, select_news
from app.web.pages.access.blueprint import page_blueprint
from app.web.pages.access.guards import signed_in
from app.web.pages.layout.csv_download import csv_table
from app.web.pages.layout.paging import all_chunks, read_id
from app.web.pages.layout.rendering import page
from app.web.pages.news.words import KINDS, TONES, kind_label, told, version_hash
from app.web.request_context import visitor
from app.web.services import ask_database, asker

SHOWN_NEWS = 50
CHUNK_NEWS = 1_000

CSV_COLUMNS: dict[str, Callable[[WrittenNews], object]] = {
    "id": lambda news: message_name(news.message_id),
    "time": lambda news: news.created_at,
    "type": lambda news: news.kind,
    "text": lambda news: told(news.kind, news.payload),
    "candidate_hash": lambda news: version_hash(news.payload, "candidate"),
    "baseline_hash": lambda news: version_hash(news.payload, "baseline"),
}

blueprint = page_blueprint("news")


@blueprint.get("/dashboard/news")
@signed_in()
def news() -> Response:
    """The newest, or with `before` those that are older than that one."""
    kind = _wanted_kind()
    before = read_id(request.args.get("before"))
    found = ask_database(select_news, visitor().project_id, kind=kind, before=before, limit=SHOWN_NEWS + 1)
    shown = found[:SHOWN_NEWS]
    return page(
        "news/news.html",
        active="news",
        news=shown,
        kinds=KINDS,
        tones=TONES,
        kind=kind,
        kind_label=kind_label,
        told=told,
        names_of_hashes=names_of_hashes,
        page_path=page_path,
        is_first=before is None,
        older=shown[-1].news_id if len(found) > len(shown) else None,
    )


@blueprint.get("/dashboard/news.csv")
@signed_in()
def download() -> Response:
    """All of the kind that is wanted, however many, read while they are sent."""
    ask, project_id, kind = asker(select_news), visitor().project_id, _wanted_kind()

    def older(item: WrittenNews | None) -> list[WrittenNews]:
        before = None if item is None else item.news_id
        return ask(project_id, kind=kind, before=before, limit=CHUNK_NEWS)

    # the first chunk now: where it fails, that is still an answer of its own
    return csv_table("news.csv", CSV_COLUMNS, all_chunks(older(None), older, chunk_size=CHUNK_NEWS))


def _wanted_kind() -> str | None:
    """What the address asks for; a kind that there is not is no filter."""
    kind = request.args.get("kind")
    return kind if kind in KINDS else None

"""/dashboard/health: the light of the header alone, for pages that do not bring themselves up to date."""

from werkzeug.wrappers import Response

from app.web.pages.access.blueprint import page_blueprint
from app.web.pages.access.guards import signed_in
from app.web.pages.layout.rendering import page

blueprint = page_blueprint("health")


@blueprint.get("/dashboard/health")
@signed_in()
def health() -> Response:
    return page("layout/_health.html")

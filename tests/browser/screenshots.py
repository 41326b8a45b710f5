"""Makes the pictures of the README again, from the demo's data: `make screenshots`.

Given a folder, it puts every page in every look there instead, for whoever changes how pages look.
"""

import base64
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, sync_playwright

from app.core.migrations import migrate
from app.demo.story import PROMPTS
from app.local.children import REPOSITORY, Guard
from app.local.postgres import start_postgres
from app.local.redis_server import start_redis
from tests.browser.chromium import LOOKS, find_chromium, launch
from tests.browser.visitors import Visitor, new_visitor
from tests.processes import app_environment, start_process

PROJECT = "Shop assistant"
PICTURES = Path(__file__).parent / "pictures"
DASHBOARD = "/dashboard?range=30d"
PROMPT = f"/dashboard/prompts/{PROMPTS[0].prompt_id}?range=30d"
PAGES = {
    "dashboard": DASHBOARD,
    "prompt": PROMPT,
    "comparisons": f"/dashboard/prompts/{PROMPTS[3].prompt_id}/comparisons",
    "margins": "/dashboard/margins",
    "news": "/dashboard/news",
    "budgets": "/dashboard/budgets",
    "webhooks": "/dashboard/webhooks",
    "api-keys": "/dashboard/api-keys",
    "refusals": "/dashboard/refusals",
    "system": "/dashboard/system",
    "members": "/dashboard/members",
    "audit-log": "/dashboard/audit-log",
    "account": "/account",
    "runbook": "/docs/runbook",
}
README = {"dashboard": ("/dashboard?range=7d", "light"), "prompt": (PROMPT, "dark")}
README_SIZE = {"width": 1280, "height": 1000}
# Where a system has no font of its own, Chromium falls back on one that is wide and dated.
FONTS = """<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "urn:fontconfig:fonts.dtd">
<fontconfig>
  <include>/etc/fonts/fonts.conf</include>
  <alias binding="strong"><family>sans-serif</family>
    <prefer><family>Inter</family><family>Liberation Sans</family></prefer></alias>
  <alias binding="strong"><family>sans</family>
    <prefer><family>Inter</family><family>Liberation Sans</family></prefer></alias>
</fontconfig>
"""
# Only Chromium itself writes WebP, which is a sixth of the PNG.
ENCODE = """async (source) => {
  const picture = new Image();
  picture.src = source;
  await picture.decode();
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [picture.width, picture.height];
  canvas.getContext("2d").drawImage(picture, 0, 0);
  return canvas.toDataURL("image/webp", 0.85);
}"""


@contextmanager
def demo_service() -> Iterator[Visitor]:
    """The real service with the demo's data in it, and an admin who sees them."""
    with tempfile.TemporaryDirectory(prefix="prompt-analytics-screenshots-") as name, Guard() as guard:
        folder = Path(name)
        postgres = start_postgres(folder / "postgres", guard, durable=False)
        redis_server = start_redis(folder / "redis", guard)
        migrate(postgres.url)
        environment = app_environment(postgres.url, redis_server.url)
        web = start_process("web", guard, folder, environment)
        start_process("worker", guard, folder, environment)
        command = [sys.executable, "-m", "app", "demo", "--project", PROJECT, "--url", web.url]
        subprocess.run(command, env=environment, cwd=REPOSITORY, check=True)
        yield new_visitor(web.url, postgres.url, is_operator=True, project=PROJECT)


def picture(browser: Browser, visitor: Visitor, path: str, *, whole: bool, **look: Any) -> bytes:
    """The page as PNG, when nothing loads or moves any more; `whole`: all of it, however long."""
    context = browser.new_context(base_url=visitor.service, reduced_motion="reduce", **look)
    page = context.new_page()
    visitor.enter(page)
    page.goto(path)
    page.wait_for_load_state("networkidle")
    taken = page.screenshot(animations="disabled", full_page=whole)
    context.close()
    return taken


def as_webp(browser: Browser, png: bytes) -> bytes:
    page = browser.new_page()
    url = page.evaluate(ENCODE, "data:image/png;base64," + base64.b64encode(png).decode())
    page.close()
    return base64.b64decode(str(url).partition(",")[2])


def main(folder: Path | None) -> None:
    with sync_playwright() as playwright, demo_service() as visitor, tempfile.NamedTemporaryFile("w") as fonts:
        fonts.write(FONTS)
        fonts.flush()
        browser = launch(playwright, find_chromium(), FONTCONFIG_FILE=fonts.name)
        if folder is None:
            for name, (path, look) in README.items():
                png = picture(browser, visitor, path, whole=False, **LOOKS[look] | {"viewport": README_SIZE})
                (PICTURES / f"{name}.webp").write_bytes(as_webp(browser, png))
        else:
            folder.mkdir(parents=True, exist_ok=True)
            for name, path in PAGES.items():
                for look, options in LOOKS.items():
                    file = folder / f"{name}-{look.replace(' ', '-')}.png"
                    file.write_bytes(picture(browser, visitor, path, whole=True, **options))
        browser.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else None)

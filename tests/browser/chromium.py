"""The system's Chromium; Playwright's own browsers are never downloaded."""

import os
import shutil
from typing import Any

from playwright.sync_api import Browser, Playwright, ViewportSize

PROGRAMS = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
"""The first one has no windows, which cost the others four times as much as the page in them."""
ARGUMENTS = ["--disable-gpu", "--disable-dev-shm-usage", "--disable-background-networking", "--no-first-run"]
NO_CHROMIUM = "no Chromium found: apt-get install chromium-headless-shell, or chromium"
WIDE: ViewportSize = {"width": 1440, "height": 900}

LOOKS: dict[str, dict[str, Any]] = {
    "light": {"viewport": WIDE, "color_scheme": "light"},
    "dark": {"viewport": WIDE, "color_scheme": "dark"},
    "phone": {"viewport": {"width": 390, "height": 844}, "is_mobile": True, "has_touch": True},
    "no JavaScript": {"viewport": WIDE, "java_script_enabled": False},
}
"""How a page may be looked at; each is a browser context of Playwright."""


def find_chromium() -> str | None:
    """The program, or None where there is none on the PATH."""
    return next(filter(None, map(shutil.which, PROGRAMS)), None)


def launch(playwright: Playwright, program: str | None, **environment: str) -> Browser:
    """Start it. Its sandbox refuses to work as root, and is left out there."""
    if program is None:
        raise FileNotFoundError(NO_CHROMIUM)
    arguments = [*ARGUMENTS, *(["--no-sandbox"] if os.geteuid() == 0 else [])]
    whole: dict[str, str | float | bool] = {**os.environ, **environment}
    return playwright.chromium.launch(executable_path=program, args=arguments, env=whole)

"""A real Chromium, and what every screen has to be: free of errors, and usable by everybody."""

from __future__ import annotations

import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, Page, async_playwright

SHOTS = Path(__file__).parents[2] / "build" / "screenshots"
"""Where the screenshots of the last run are."""

PHONE = {"viewport": {"width": 390, "height": 844}, "is_mobile": True, "has_touch": True}
DESK = {"viewport": {"width": 1100, "height": 800}}

_NAMES = ("chromium", "chromium-browser", "google-chrome")


def chromium() -> str:
    """Where the browser is. Without one the test fails, and says what to install."""
    found = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, _NAMES)), None)
    if found is None:
        pytest.fail("there is no Chromium: apt-get install chromium, or name it in CHROMIUM")
    return found


@asynccontextmanager
async def browser() -> AsyncIterator[Browser]:
    """A Chromium without a window. As root it has no sandbox of its own."""
    arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
    async with async_playwright() as playwright:
        launched = await playwright.chromium.launch(executable_path=chromium(), args=arguments)
        try:
            yield launched
        finally:
            await launched.close()


class Watched:
    """A page, and what the browser complained of on it."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.complaints: list[str] = []
        page.on("console", self._take)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))

    def _take(self, message: Any) -> None:
        if message.type in ("error", "warning"):
            self.complaints.append(message.text)

    async def shot(self, name: str) -> None:
        """Keep what it looks like."""
        SHOTS.mkdir(parents=True, exist_ok=True)
        await self.page.screenshot(path=SHOTS / f"{name}.png", full_page=True)

    async def check(self, name: str) -> None:
        """Keep what it looks like, and hold it to WCAG 2.2 AA as far as axe can tell."""
        await self.shot(name)
        found = await Axe().run(
            self.page,
            options={
                "runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
            },
        )
        assert found.violations_count == 0, found.generate_report()


@asynccontextmanager
async def watched(opened: Browser, url: str, **look: Any) -> AsyncIterator[Watched]:
    """A page of a host in a browser of its own, which ends without complaints."""
    context = await opened.new_context(base_url=url, **look)
    try:
        seen = Watched(await context.new_page())
        yield seen
        assert seen.complaints == []
    finally:
        await context.close()

"""Headless Chromium for tests of pages."""

from __future__ import annotations

import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from attrs import define, field
from playwright.async_api import Browser, Page, async_playwright

CHROMIUM = shutil.which("chromium")
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
REQUIRED = os.environ.get("BKJOB_REQUIRE_SERVICES") == "1"
needs_browser = pytest.mark.skipif(CHROMIUM is None and not REQUIRED, reason="there is no chromium")


@define
class Seen:
    """What a page said on its console, and which origins it asked; both are to be empty but for its own."""

    console: list[str] = field(factory=list)
    origins: set[str] = field(factory=set)


@asynccontextmanager
async def browser() -> AsyncIterator[Browser]:
    """Run a browser."""
    if CHROMIUM is None:
        pytest.fail("there is no chromium, and BKJOB_REQUIRE_SERVICES=1 wants it")
    async with async_playwright() as playwright:
        running = await playwright.chromium.launch(executable_path=CHROMIUM, args=[*FLAGS])
        try:
            yield running
        finally:
            await running.close()


async def new_page(running: Browser, **options: Any) -> tuple[Page, Seen]:
    """Open an empty page in a context of its own; return it with what it will have seen."""
    context = await running.new_context(**options)
    page, seen = await context.new_page(), Seen()
    page.on("console", lambda message: seen.console.append(f"{message.type}: {message.text}"))
    page.on("pageerror", lambda error: seen.console.append(f"error: {error}"))
    page.on("request", lambda request: seen.origins.add(request.url.partition("://")[2].partition("/")[0]))
    return page, seen


async def width_beyond(page: Page) -> int:
    """Return by how many pixels the content is wider than the window."""
    found: int = await page.evaluate(
        "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    )
    return found


def uri(path: Path) -> str:
    """Return the address of a file."""
    return path.resolve().as_uri()

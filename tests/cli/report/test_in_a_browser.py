"""The report in a browser: nothing is asked of the network, nothing is too wide, nothing covers anything else."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import pytest
from playwright.async_api import Page

from bkjob_async.report.reading.run_model import RunModel
from tests.cli.browser import browser, needs_browser, new_page, uri, width_beyond
from tests.cli.report.reports import BEGAN, FAILED, PENDING, RUNNING, SUCCESS, finished_run, host, report

pytestmark = [needs_browser, pytest.mark.deep]

OVERLAPS = """
(selector) => {
  const boxes = [...document.querySelectorAll(selector)].map((each) => each.getBoundingClientRect()).filter((box) => box.width);
  let found = 0;
  boxes.forEach((one, n) => boxes.slice(n + 1).forEach((other) => {
    found += one.left < other.right && other.left < one.right && one.top < other.bottom && other.top < one.bottom;
  }));
  return found;
}
"""


def long_run() -> RunModel:
    """Return a run with long names, an unobserved time, and percentiles that lie close to each other."""
    run = finished_run([SUCCESS, FAILED, SUCCESS, 16, 403], name="n" * 300)
    run.durations.extend([3600.0] * 200)
    host(run, 0, FAILED, label="l" * 300, tag="t" * 300, exit_code=-(2**63))
    host(run, 7, PENDING, step="2:100/201")
    host(run, 7, RUNNING, before=PENDING, step="2:100/201")
    run.set_time(BEGAN + 7200)
    run.resumed(1800.0)
    run.job_changed("2:101", 7, is_finished=False, name="w" * 300)
    run.was_lost("2:102", "gone")
    run.trouble("2:100", "Throttled", "m" * 500)
    return run


async def opened(page: Page, folder: Path) -> None:
    """Open the report."""
    (folder / "run.html").write_text(report(long_run(), "html"), encoding="utf-8")
    await page.goto(uri(folder / "run.html"))


@pytest.mark.parametrize("width", [1200, 390])
@pytest.mark.parametrize("theme", ["light", "dark"])
async def test_the_page_fits_the_window(tmp_path: Path, width: int, theme: Literal["light", "dark"]) -> None:
    """In both themes, without a word on the console; labels of one chart do not cover each other."""
    async with browser() as running:
        page, seen = await new_page(running, viewport={"width": width, "height": 900}, color_scheme=theme)
        await opened(page, tmp_path)

        assert await width_beyond(page) <= 0
        assert await page.evaluate(OVERLAPS, ".percentiles b") == 0
        assert await page.evaluate(OVERLAPS, ".axis span") == 0
        assert seen.console == []
        assert seen.origins == {""}


async def test_a_click_selects_the_names(tmp_path: Path) -> None:
    """All of a cause, and nothing else."""
    async with browser() as running:
        page, _ = await new_page(running)
        await opened(page, tmp_path)
        await page.locator("details[open] .names").click()

        assert (
            await page.evaluate("getSelection().toString()")
            == await page.locator("details[open] .names").inner_text()
        )


async def test_the_page_prints(tmp_path: Path) -> None:
    """On A4; a dark screen does not make dark paper."""
    async with browser() as running:
        page, _ = await new_page(running, color_scheme="dark")
        await opened(page, tmp_path)
        await page.set_viewport_size({"width": 688, "height": 1000})  # A4 within its margins
        await page.emulate_media(media="print")
        display = await page.locator(".steps tr").first.evaluate("row => getComputedStyle(row).display")
        assert display == "table-row"  # not the narrow layout of a telephone
        assert await width_beyond(page) <= 0
        paper = await page.evaluate("getComputedStyle(document.body).backgroundColor")
        printed = await page.pdf(prefer_css_page_size=True)

        assert paper == "rgb(255, 255, 255)"
        assert b"/MediaBox [0 0 594.95996 841.91998]" in printed or b"/MediaBox [0 0 595" in printed

"""How quick the live page is in headless Chromium: when it shows its first state, what a frame costs, when news is seen.

The page has many jobs, of which a tenth changes before each message. The first state is timed from the opening of the
printed link until rows are drawn, in a browser that has just begun. *Frame* is the time of the script, the style and the
layout of one frame, after the first. Prints one line instead where there is no chromium.
"""

from __future__ import annotations

import asyncio
import re
import shutil
from statistics import median
from typing import Any

from aiohttp import web
from playwright.async_api import Page, async_playwright

from benchmarks.scale import scaled
from benchmarks.table import show
from bkjob_async.cli.live_page.access import Access, hosts_of
from bkjob_async.cli.live_page.page_state import PageState
from bkjob_async.cli.live_page.server import LiveServer

JOBS, MESSAGES = scaled((1000, 20), (50, 3))
FLAGS = ("--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update")
TOKEN, KEY = "token", b"key"
# Every frame of the page is timed with the layout that it causes; the first state is there when a frame with rows was drawn.
TIMING = """
window.frames_ = [];
const frame = window.requestAnimationFrame.bind(window);
window.requestAnimationFrame = (draw) => frame((now) => {
  const began = performance.now();
  draw(now);
  document.body.getBoundingClientRect();
  window.frames_.push(performance.now() - began);
});
const look = () => {
  if (!document.querySelector("#rows li")) return frame(look);
  setTimeout(() => window.first_ = performance.now());
};
frame(look);
"""


def row_of(number: int, done: int) -> dict[str, Any]:
    """Return a row with ten hosts, of which so many are done."""
    failed = 1 if number % 9 == 0 and done else 0
    hosts = {"FAILED": failed, "SUCCESS": done - failed, "RUNNING": 10 - done}
    return {
        "ref": f"2:{20_000_000_000 + number}",
        "title": f"deploy app-{number % 13} zone {number}",
        "step": "1/2 rollout",
        "phase": "RUNNING",
        "over": False,
        "hosts": {phase: count for phase, count in hosts.items() if count},
        "done": done,
        "failed": failed,
        "began": 10.0,
        "ends": 400.0,
        "took": None,
        "note": "",
        "order": [0 if failed else 1, 1, -failed, number, 0],
    }


def head_of(message: int) -> dict[str, Any]:
    """Return the head of a message."""
    return {
        "now": 100.0 + message,
        "elapsed": 90.0 + message,
        "over": 0,
        "targets": JOBS,
        "with_failures": 0,
        "lost": 0,
        "hosts": {"RUNNING": 10 * JOBS},
        "hosts_per_second": 1.0,
        "ends_in": None,
        "requests_per_second": 1.0,
        "budget": None,
        "oldest_unseen": 1.0,
        "limit": "",
        "in_trouble": 0,
        "outage": "",
    }


async def measure(page: Page, server: LiveServer, url: str) -> dict[str, float]:
    """Return times in milliseconds."""
    await page.add_init_script(TIMING)
    await page.goto(f"{url}/?token={TOKEN}")
    await page.wait_for_selector("#rows li")
    await asyncio.sleep(0.5)
    first = await page.evaluate("window.first_")
    await page.evaluate("window.frames_.length = 0")
    loop, news = asyncio.get_running_loop(), []
    for message in range(1, MESSAGES + 1):
        changed = [row_of(number, 1 + message % 9) for number in range(message % 10, JOBS, 10)]
        changed[0]["title"] = f"news {message}"
        began = loop.time()
        server.state.update(head_of(message), {row["ref"]: row for row in changed})
        server.changed()
        await page.locator("#rows b", has_text=re.compile(f"^news {message}$")).wait_for()
        news.append(1000 * (loop.time() - began))
        await asyncio.sleep(0.1)
    frames = await page.evaluate("window.frames_")
    return {"first": first, "frame": median(frames), "longest": max(frames), "news": max(news)}


async def measured(chromium: str) -> dict[str, float]:
    """Serve a page, and open it in a browser."""
    state = PageState("bench")
    state.update(head_of(0), {row["ref"]: row for row in (row_of(number, 0) for number in range(JOBS))})
    server = LiveServer(state, Access(0, frozenset(), KEY, TOKEN))
    runner = web.AppRunner(server.app(), access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    port = runner.addresses[0][1]
    server.access = Access(port, hosts_of(["127.0.0.1"], port), KEY, TOKEN)
    try:
        async with async_playwright() as playwright:
            browser = await playwright.chromium.launch(executable_path=chromium, args=[*FLAGS])
            page = await browser.new_page()
            found = await measure(page, server, f"http://127.0.0.1:{port}")
            await browser.close()
    finally:
        await runner.cleanup()
    return found


def main() -> None:
    """Print a table."""
    chromium = shutil.which("chromium")
    if chromium is None:
        print("\nlive_page: there is no chromium here")
        return
    found = asyncio.run(measured(chromium))
    limits = {"first": 200, "frame": 50, "longest": 50, "news": 1000}
    names = {
        "first": "first state after opening",
        "frame": "frame, median",
        "longest": "frame, longest",
        "news": "news shown, latest",
    }
    rows = [(names[key], f"{value:.0f} ms", f"{limits[key]} ms") for key, value in found.items()]
    show(f"live_page: {JOBS} jobs in headless Chromium", ("what", "time", "limit"), rows)

"""Load pages in a headless Chromium and record every request that they make."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from attrs import define, field

NAMES = ("chromium", "chromium-browser", "google-chrome")
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--remote-debugging-port=0",
)
# A page is quiet when it has made no request for so many seconds.
QUIET = 0.1
# What takes longer than so many seconds has failed.
LONGEST = 30.0


def chromium() -> str:
    """Return the command; skip the test where there is none, unless services are required."""
    found = next(filter(None, map(shutil.which, NAMES)), None)
    if found is None:
        reason = f"no command {' or '.join(NAMES)} is installed"
        if os.environ.get("BKJOB_REQUIRE_SERVICES") == "1":
            pytest.fail(reason)
        pytest.skip(reason)
    return found


@define
class Tab:
    """A tab, driven by the DevTools protocol."""

    socket: aiohttp.ClientWebSocketResponse
    requests: list[str] = field(factory=list)
    is_loaded: bool = False
    sent: int = 0

    async def send(self, method: str, **parameters: Any) -> None:
        """Send a command and wait for its response."""
        self.sent += 1
        await self.socket.send_json({"id": self.sent, "method": method, "params": parameters})
        async with asyncio.timeout(LONGEST):
            while (await self.read()).get("id") != self.sent:
                pass

    async def read(self) -> dict[str, Any]:
        """Return the next message; remember what it says about the page."""
        message: dict[str, Any] = await self.socket.receive_json()
        match message:
            case {"method": "Network.requestWillBeSent", "params": {"request": {"url": requested}}}:
                self.requests.append(requested)
            case {"method": "Page.loadEventFired"}:
                self.is_loaded = True
        return message

    async def load(self, url: str) -> None:
        """Load a page with everything that it wants, until it is quiet."""
        self.is_loaded = False
        await self.send("Page.navigate", url=url)
        async with asyncio.timeout(LONGEST):
            while not self.is_loaded:
                await self.read()
        with suppress(TimeoutError):
            while True:
                async with asyncio.timeout(QUIET):
                    await self.read()


@asynccontextmanager
async def opened_tab(profile: Path) -> AsyncIterator[Tab]:
    """Start a browser with a new *profile*, and end it."""
    process = await asyncio.create_subprocess_exec(
        chromium(),
        *FLAGS,
        f"--user-data-dir={profile}",
        "about:blank",
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(LONGEST):
            port = await debugging_port(process)
        async with aiohttp.ClientSession(f"http://127.0.0.1:{port}") as session:
            async with session.get("/json/list") as response:
                tabs = await response.json(content_type=None)
            (url,) = [tab["webSocketDebuggerUrl"] for tab in tabs if tab["type"] == "page"]
            async with session.ws_connect(url, max_msg_size=0) as socket:
                tab = Tab(socket)
                await tab.send("Network.enable")
                await tab.send("Page.enable")
                yield tab
    finally:
        process.kill()
        await process.communicate()


async def debugging_port(process: asyncio.subprocess.Process) -> int:
    """Return the port that a browser announces on stderr."""
    assert process.stderr is not None
    async for line in process.stderr:
        if found := re.search(rb"DevTools listening on ws://127\.0\.0\.1:(\d+)/", line):
            return int(found[1])
    raise RuntimeError("the browser ended before it listened")


async def requests_of(urls: Iterable[str], profile: Path) -> list[str]:
    """Return the URL of every request that the pages at *urls* make."""
    async with opened_tab(profile) as tab:
        for url in urls:
            await tab.load(url)
        return tab.requests

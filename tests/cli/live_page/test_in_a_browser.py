"""The page in a browser: right, quick, quiet, and back after the server was away."""

from __future__ import annotations

import asyncio
import time

import pytest
from playwright.async_api import Page, expect

from bkjob_async.cli.live_page.page_state import PageState
from tests.cli.browser import browser, needs_browser, new_page, width_beyond
from tests.cli.live_page.pages import TOKEN, changed, failure, head, row, rows, serving

pytestmark = [needs_browser, pytest.mark.deep]

ATTACK = "<img src=x onerror=alert(1)><svg onload=alert(1)>"


def state_of_three() -> PageState:
    """Return a state of three rows."""
    state = PageState("one")
    state.update(head(), rows(*map(row, (1, 2, 3))))
    return state


async def titles(page: Page) -> list[str]:
    """Return the titles of the rows from above."""
    return await page.locator("#rows li b").all_inner_texts()


async def test_the_link_leads_to_the_page() -> None:
    """Once; the token is not in the address then; nothing is asked elsewhere, and the console stays empty."""
    async with serving(state_of_three()) as (_, url), browser() as running:
        page, seen = await new_page(running)
        await page.goto(f"{url}/?token={TOKEN}")
        await expect(page.locator("#rows li")).to_have_count(3)

        assert page.url == f"{url}/"
        assert await titles(page) == ["deploy app-1", "deploy app-2", "deploy app-3"]
        await expect(page.locator("#link")).to_have_text("live")
        await page.reload()
        await expect(page.locator("#rows li")).to_have_count(3)
        assert seen.console == []
        assert seen.origins == {url.removeprefix("http://")}
        second, _ = await new_page(running)
        answer = await second.goto(f"{url}/?token={TOKEN}")
        assert answer is not None
        assert answer.status == 401


async def test_the_first_state_needs_no_other_request() -> None:
    """It comes with the page; the rest follows when it can."""
    async with serving(state_of_three()) as (server, url), browser() as running:
        page, _ = await new_page(running)
        await page.route("**/events", lambda route: route.abort())
        server.state.update(
            head({"FAILED": 2}), rows(row(3, failed=2, done=5, title=ATTACK)), failures=[failure(3)]
        )
        await page.goto(f"{url}/?token={TOKEN}", wait_until="commit")
        await expect(page.locator("#rows li")).to_have_count(3)

        assert await titles(page) == [ATTACK, "deploy app-1", "deploy app-2"]
        await expect(page.locator("#verdict")).to_contain_text("2 of 2 hosts failed")
        await expect(page.locator("#failures li")).to_have_count(1)
        await expect(page.locator("#link")).to_contain_text("Connection lost, news is 0:0")


async def test_a_link_on_another_site_leads_to_the_page() -> None:
    """It can be loaded again then."""
    async with serving(state_of_three()) as (_, url), browser() as running:
        page, seen = await new_page(running)
        link = f'<a href="{url}/?token={TOKEN}">go</a>'
        await page.route(
            "http://elsewhere.example/", lambda route: route.fulfill(body=link, content_type="text/html")
        )
        await page.goto("http://elsewhere.example/")
        await page.locator("a").click()
        for _ in range(2):
            await expect(page.locator("#rows li")).to_have_count(3)
            assert page.url == f"{url}/"
            await page.reload()
        assert [line for line in seen.console if "favicon" not in line] == []


async def test_news_is_shown_at_once() -> None:
    """Jobs that failed move up; counts, failures and the head change; names stay text."""
    async with serving(state_of_three()) as (server, url), browser() as running:
        page, seen = await new_page(running)
        await page.goto(f"{url}/?token={TOKEN}")
        await expect(page.locator("#rows li")).to_have_count(3)
        begun = time.monotonic()
        changed(
            server,
            row(3, failed=2, done=5, title=ATTACK),
            failures=[failure(3, title=ATTACK, tag=ATTACK, host=ATTACK)],
            head=head({"FAILED": 2, "SUCCESS": 3, "RUNNING": 25}),
        )
        await expect(page.locator("#rows li").first).to_contain_text(ATTACK)
        took = time.monotonic() - begun

        print(f"news shown after {took * 1000:.0f} ms")
        assert await titles(page) == [ATTACK, "deploy app-1", "deploy app-2"]
        await expect(page.locator("#verdict")).to_contain_text("2 of 30 hosts failed")
        await expect(page.locator("#failures li")).to_contain_text("exit code 1")
        await page.locator("#failed-only").check()
        await expect(page.locator("#rows li")).to_have_count(1)
        await expect(page.locator("#cut")).to_have_text("2 rows left out by the filter")
        ignored = {**row(2, failed=1, done=10), "phase": "SUCCESS", "order": [3, 1, 0, 2, 0]}
        changed(server, ignored)
        await expect(page.locator("#rows li")).to_have_count(2)
        await page.locator("#failed-only").uncheck()
        await page.locator("#find").fill("APP-2")
        await expect(page.locator("#rows li")).to_have_count(1)
        assert seen.console == []


async def test_the_page_is_back_after_the_server_was_away() -> None:
    """It says that the connection is lost, and how old its news is; another process needs no other link."""
    async with browser() as running:
        page, _ = await new_page(running)
        async with serving(state_of_three()) as (server, url):
            port = server.access.port
            await page.goto(f"{url}/?token={TOKEN}")
            await expect(page.locator("#rows li")).to_have_count(3)
        await expect(page.locator("#link")).to_contain_text("Connection lost, news is 0:0")
        await asyncio.sleep(1.2)
        another = PageState("two")
        another.update(head(), rows(row(7)))
        async with serving(another, port=port, token=None):
            await expect(page.locator("#link")).to_have_text("live")
            await expect(page.locator("#rows li")).to_have_count(1)

            assert await titles(page) == ["deploy app-7"]


async def test_lost_targets_are_no_success() -> None:
    """Though they are over, and nothing has failed."""
    state = PageState("one")
    state.update(head({"SUCCESS": 9}, over=3, targets=3, lost=2), rows(row(1)))
    async with serving(state) as (_, url), browser() as running:
        page, _ = await new_page(running)
        await page.goto(f"{url}/?token={TOKEN}")

        await expect(page.locator("#verdict")).to_have_text("¿ 2 targets lost · 3 of 3 targets over")


async def test_the_end_is_said() -> None:
    """The last state stays; a server that went away then is no lost connection."""
    async with browser() as running:
        page, _ = await new_page(running)
        async with serving(state_of_three()) as (server, url):
            await page.goto(f"{url}/?token={TOKEN}")
            await expect(page.locator("#rows li")).to_have_count(3)
            changed(server, is_over=True)
            await expect(page.locator("#link")).to_have_text("the watch has ended")
        await asyncio.sleep(0.3)

        assert await page.locator("#link").inner_text() == "the watch has ended"
        assert len(await titles(page)) == 3


@pytest.mark.parametrize("width", [1200, 390])
async def test_the_page_fits_the_window(width: int) -> None:
    """Long names as well; nothing scrolls sideways."""
    state = state_of_three()
    state.update(
        head({"FAILED": 1, "SUCCESS": 9998, "RUNNING": 1}),
        rows(row(4, failed=1, done=9, title="x" * 400)),
        failures=[failure(1, host="y" * 300)],
    )
    async with serving(state) as (_, url), browser() as running:
        page, _ = await new_page(running, viewport={"width": width, "height": 800})
        await page.goto(f"{url}/?token={TOKEN}")
        await expect(page.locator("#rows li")).to_have_count(4)

        assert await width_beyond(page) <= 0


async def test_one_failed_host_of_ten_thousand_is_seen() -> None:
    """Its part of the bar is three pixels wide, and the last running one's, too."""
    state = PageState("one")
    big = row(1, failed=1, done=9_999, total=10_000)
    state.update(head({"FAILED": 1, "SUCCESS": 9998, "RUNNING": 1}), rows(big))
    async with serving(state) as (_, url), browser() as running:
        page, _ = await new_page(running)
        await page.goto(f"{url}/?token={TOKEN}")
        widths = []
        for phase in ("FAILED", "SUCCESS", "RUNNING"):
            box = await page.locator(f"#rows .bar .{phase}").bounding_box()
            assert box is not None
            widths.append(box["width"])

        assert min(widths) >= 2.5
        assert sum(widths) == pytest.approx(260, abs=1)

"""`bkjob watch --web` against a simulated platform, in processes of their own."""

from __future__ import annotations

import asyncio
import json
import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from http.cookiejar import CookieJar
from pathlib import Path
from typing import Any
from urllib.request import HTTPCookieProcessor, OpenerDirector, build_opener

import pytest
from playwright.async_api import expect

from bkjob_async.cli.live_page.access import KEY_BYTES, KEY_NAME, load_key
from tests.cli import shell
from tests.cli.browser import browser, needs_browser, new_page

pytestmark = pytest.mark.slow

JOB = "20000000001"
LINK = re.compile(r"live page, the link works once: (http://127\.0\.0\.1:\d+/\?token=[\w-]+)")


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return int(listening.getsockname()[1])


@contextmanager
def watching(url: str, state: Path, *arguments: str) -> Iterator[tuple[shell.Process, str]]:
    """Watch a job with a page; yield the process and the link."""
    env = {**shell.IDENTITY, "XDG_STATE_HOME": str(state)}
    process = shell.start("watch", "--url", url, "--biz", "2", "--interval", "0.2", JOB, *arguments, env=env)
    try:
        assert process.stderr is not None
        for line in iter(process.stderr.readline, ""):
            if found := LINK.search(line):
                yield process, found[1]
                break
        else:
            pytest.fail("no link was written")
    finally:
        process.kill()
        shell.ended(process)


def visitor() -> OpenerDirector:
    """Return a client with cookies."""
    return build_opener(HTTPCookieProcessor(CookieJar()))


def first_row(opener: OpenerDirector, link: str) -> dict[str, Any]:
    """Return the row of the page behind *link*, once its job has hosts."""
    opener.open(link).close()
    with opener.open(link.partition("?")[0] + "events") as events:
        for line in events:
            if line.startswith(b"data: "):
                rows = json.loads(line.removeprefix(b"data: "))["rows"]
                if rows and rows[0]["hosts"]:
                    found: dict[str, Any] = rows[0]
                    return found
    pytest.fail("the job has no hosts")


def test_the_page_shows_the_watch(tmp_path: Path) -> None:
    """Its targets by name, with their hosts; the lines on stdout name them, too."""
    with (
        shell.simulator("some-fail") as url,
        watching(url, tmp_path, "--web") as (process, link),
    ):
        opener = visitor()
        assert process.stdout is not None
        row = first_row(opener, link)
        assert any(f"2:{JOB}/" in line and " 0:10.0.0.1 " in line for line in process.stdout)

    assert (row["ref"], row["title"]) == (f"2:{JOB}", "some fail")
    assert sum(row["hosts"].values()) == 12


@needs_browser
async def test_a_page_stays_open_over_processes(tmp_path: Path) -> None:
    """The command was started again on the same port: the page goes on without another link; and ends with the watch."""
    port = free_port()
    with shell.simulator("some-fail", speed=5) as url:
        await asyncio.to_thread(shell.control, url, "pause", {})
        await asyncio.to_thread(shell.control, url, "advance", {"seconds": 2.0})
        async with browser() as running:
            page, seen = await new_page(running)
            with watching(url, tmp_path, f"--web={port}") as (process, link):
                await page.goto(link)
                await expect(page.locator("#rows li")).to_contain_text("some fail")
                process.kill()
                await asyncio.to_thread(process.wait)
                await expect(page.locator("#link")).to_contain_text("Connection lost")
            with watching(url, tmp_path, "--web", str(port)):
                await expect(page.locator("#link")).to_have_text("live", timeout=60_000)
                await asyncio.to_thread(shell.control, url, "resume", {})
                await expect(page.locator("#link")).to_have_text("the watch has ended", timeout=60_000)
                await expect(page.locator("#verdict")).to_contain_text("3 of 12 hosts failed")
                await expect(page.locator("#failures li")).to_have_count(3)

    assert [
        line for line in seen.console if "ERR_CONNECTION_REFUSED" not in line and "net::" not in line
    ] == []
    assert seen.origins == {f"127.0.0.1:{port}"}


def test_a_port_in_use_is_said_before_anything_is_watched() -> None:
    """With exit code 2."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = shell.run(
            "watch", "--url", "http://127.0.0.1:9", "--biz", "2", "1", f"--web={port}", "--deadline", "5"
        )

    assert done.returncode == 2
    assert f"127.0.0.1:{port}" in done.stderr
    assert done.stdout == ""


@pytest.mark.parametrize("taken_for_a_port", ["2:100", "20000000001", "x"])
def test_a_target_behind_web_is_explained(taken_for_a_port: str) -> None:
    """It would be the port."""
    done = shell.run("watch", "--url", "http://127.0.0.1:9", f"--web={taken_for_a_port}", "2:1")

    assert done.returncode == 2
    assert "--web=PORT" in done.stderr


def test_a_host_for_no_page_is_wrong_usage() -> None:
    """Who names one expects a page there."""
    done = shell.run("watch", "2:100", "--web-host", "127.0.0.1", "--url", "http://127.0.0.1:9")

    assert (done.returncode, done.stdout) == (2, "")
    assert "--web-host goes with --web" in done.stderr


def test_the_key_is_kept_for_the_next_process(tmp_path: Path) -> None:
    """For this user's eyes alone; one that others could read, or a broken one, is not used."""
    first = load_key(tmp_path / "state")
    path = tmp_path / "state" / KEY_NAME

    assert len(first) == KEY_BYTES
    assert load_key(tmp_path / "state") == first
    assert path.stat().st_mode & 0o777 == 0o600
    path.chmod(0o644)
    assert load_key(tmp_path / "state") != first
    path.chmod(0o600)
    path.write_bytes(b"short")
    second = load_key(tmp_path / "state")
    assert len(second) == KEY_BYTES
    assert load_key(tmp_path / "state") == second


def test_without_a_place_the_key_is_for_this_process(tmp_path: Path) -> None:
    """A page is served all the same."""
    (tmp_path / "file").write_text("")

    assert len(load_key(tmp_path / "file" / "state")) == KEY_BYTES

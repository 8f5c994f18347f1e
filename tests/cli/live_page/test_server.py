"""What the server answers: to whom, with which headers, and how news is sent."""

from __future__ import annotations

import asyncio
import json
import socket
import time
import tracemalloc
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import aiohttp
import pytest

from bkjob_async.cli.live_page import server as server_module
from bkjob_async.cli.live_page.page_state import FIRST_ROWS, PageState
from bkjob_async.cli.live_page.server import MAX_READERS, LiveServer
from tests.cli.live_page.pages import TOKEN, changed, head, row, rows, serving

PATHS = ["/", f"/?token={TOKEN}", "/events", "/nowhere", "/favicon.ico"]


@pytest.fixture
async def served() -> AsyncIterator[tuple[LiveServer, str]]:
    """Give a server of three rows, with its URL."""
    state = PageState("one")
    state.update(head(), rows(*map(row, (1, 2, 3))))
    async with serving(state) as found:
        yield found


@pytest.fixture
async def visitor() -> AsyncIterator[aiohttp.ClientSession]:
    """Give a client that keeps cookies of addresses."""
    async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as session:
        yield session


async def enter(visitor: aiohttp.ClientSession, url: str) -> None:
    """Exchange the token."""
    async with visitor.get(f"{url}/?token={TOKEN}", allow_redirects=False) as response:
        assert response.status == 200


async def next_event(response: aiohttp.ClientResponse) -> dict[str, Any]:
    """Return the data of the next event; comments are passed over."""
    lines: list[str] = []
    async with asyncio.timeout(5):
        while True:
            line = (await response.content.readline()).decode()
            assert line, "the stream has ended"
            if line.strip():
                lines.append(line.rstrip("\n"))
            elif any(each.startswith("data: ") for each in lines):
                found: dict[str, Any] = json.loads(lines[-1].removeprefix("data: "))
                return {"id": lines[0].removeprefix("id: "), **found}
            else:
                lines = []


@pytest.mark.parametrize("path", PATHS)
async def test_a_foreign_host_is_refused_first(
    path: str, served: tuple[LiveServer, str], visitor: aiohttp.ClientSession
) -> None:
    """On every route, for every method, with the right token or cookie; and the token is not spent."""
    server, url = served
    await enter(visitor, url)
    server.access.token = TOKEN
    for method in ("GET", "POST"):
        async with visitor.request(method, url + path, headers={"Host": "evil.example"}) as response:
            assert response.status == 403
    assert server.access.token == TOKEN


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH"])
async def test_the_page_is_read_only(
    path: str, method: str, served: tuple[LiveServer, str], visitor: aiohttp.ClientSession
) -> None:
    """No other method than GET, with or without a cookie; the token is not spent."""
    server, url = served
    async with visitor.request(method, url + path) as response:
        assert response.status == 405
        assert response.headers["Allow"] == "GET"
    assert server.access.token == TOKEN


@pytest.mark.parametrize(
    "path", ["/", "/?token=wrong", "/?token=", "/events", "/nowhere", f"/events?token={TOKEN}"]
)
async def test_nobody_reads_without_the_token(
    path: str, served: tuple[LiveServer, str], visitor: aiohttp.ClientSession
) -> None:
    """A wrong one is as good as none; it works on the entry alone."""
    server, url = served
    async with visitor.get(url + path) as response:
        assert response.status == 401
    assert server.access.token == TOKEN


async def test_the_token_is_exchanged_for_a_cookie(
    served: tuple[LiveServer, str], visitor: aiohttp.ClientSession
) -> None:
    """Once; the cookie is for this server and its pages alone, and no script reads it."""
    _, url = served
    async with visitor.get(f"{url}/?token={TOKEN}") as response:
        cookie = response.headers["Set-Cookie"]
    for path, status in (("/", 200), ("/nowhere", 404), (f"/?token={TOKEN}", 401)):
        async with visitor.get(url + path) as response:
            assert response.status == status

    assert {"HttpOnly", "SameSite=Strict", "Path=/"} <= {part.strip() for part in cookie.split(";")}
    assert "Domain" not in cookie
    assert TOKEN not in cookie


@pytest.mark.parametrize("path", [*PATHS, "/?token=wrong"])
async def test_every_answer_says_what_a_browser_may_do(
    path: str, served: tuple[LiveServer, str], visitor: aiohttp.ClientSession
) -> None:
    """Nothing is stored, nothing is loaded from elsewhere, no other page frames it."""
    server, url = served
    if path != f"/?token={TOKEN}":
        await enter(visitor, url)
        server.access.token = TOKEN
    async with visitor.get(url + path) as response:
        headers = response.headers
        policy = headers["Content-Security-Policy"]
        text = "" if path == "/events" else await response.text()

    assert headers["Cache-Control"] == "no-store"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert policy.startswith(
        "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    assert "unsafe" not in policy
    assert "Access-Control-Allow-Origin" not in headers
    assert TOKEN not in text
    if path == "/":
        nonce = policy.partition("script-src 'nonce-")[2].partition("'")[0]
        assert len(nonce) >= 16
        assert text.count(f'nonce="{nonce}"') == 2
        # The page's own, and the data that it shows first.
        assert text.count("<script") == text.count("</script") == 2


def first_state(page: str) -> dict[str, Any]:
    """Return the state that a page shows before it asks for more."""
    found: dict[str, Any] = json.loads(
        page.partition('<script type="application/json" id="first">')[2].partition("</script>")[0]
    )
    return found


async def test_the_page_has_its_first_state(
    served: tuple[LiveServer, str], visitor: aiohttp.ClientSession
) -> None:
    """The rows that are seen first, however many there are; what they say stays text."""
    server, url = served
    attack = "</script><script>alert(1)</script><!--"
    more = [row(number, failed=number % 2, done=1) for number in range(4, 2000)]
    changed(server, row(2, failed=9, done=9, title=attack), *more)
    await enter(visitor, url)
    async with visitor.get(url) as response:
        text = await response.text()
    first = first_state(text)

    assert text.count("<script") == text.count("</script") == 2
    assert first["rows"][0]["title"] == attack
    assert [each["failed"] for each in first["rows"]] == [9, *[1] * (FIRST_ROWS - 1)]
    assert [each["order"] for each in first["rows"]] == sorted(each["order"] for each in first["rows"])
    assert (first["head"], first["gone"], first["over"]) == (head(), [], False)


async def test_the_link_is_the_page_where_nobody_sent_the_visitor(
    served: tuple[LiveServer, str], visitor: aiohttp.ClientSession
) -> None:
    """Whoever comes by a link on another site is led on: a browser that reloads sends a strict cookie then."""
    server, url = served
    found = []
    for site in ("none", "cross-site", None):
        server.access.token = TOKEN
        headers = {} if site is None else {"Sec-Fetch-Site": site}
        async with visitor.get(f"{url}/?token={TOKEN}", headers=headers) as response:
            found.append('id="first"' in await response.text())
            assert response.headers["Set-Cookie"]

    assert found == [True, False, False]


async def test_each_page_has_a_nonce_of_its_own(
    served: tuple[LiveServer, str], visitor: aiohttp.ClientSession
) -> None:
    """A nonce that was seen is worth nothing."""
    _, url = served
    await enter(visitor, url)
    policies = set()
    for _ in range(3):
        async with visitor.get(url) as response:
            policies.add(response.headers["Content-Security-Policy"])

    assert len(policies) == 3


async def test_news_goes_on_behind_the_last_id(
    served: tuple[LiveServer, str], visitor: aiohttp.ClientSession
) -> None:
    """Everything first, then what changed; also for a reader that was away."""
    server, url = served
    await enter(visitor, url)
    async with visitor.get(f"{url}/events") as response:
        assert response.headers["Content-Type"] == "text/event-stream; charset=utf-8"
        first = await next_event(response)
        changed(server, row(2, failed=1, done=3))
        second = await next_event(response)
    changed(server, row(3, done=4))
    async with visitor.get(f"{url}/events", headers={"Last-Event-ID": second["id"]}) as response:
        third = await next_event(response)
    async with visitor.get(f"{url}/events", headers={"Last-Event-ID": "other.7"}) as response:
        whole = await next_event(response)

    assert [len(each["rows"]) for each in (first, second, third, whole)] == [3, 1, 1, 3]
    assert [each["full"] for each in (first, second, third, whole)] == [True, False, False, True]
    assert third["rows"] == [row(3, done=4)]


async def test_changes_that_come_together_are_one_message(
    served: tuple[LiveServer, str], visitor: aiohttp.ClientSession
) -> None:
    """Four a second at most; a reader has one waiting message, however much changes."""
    server, url = served
    await enter(visitor, url)
    loop = asyncio.get_running_loop()
    async with visitor.get(f"{url}/events") as response:
        await next_event(response)
        began = loop.time()
        for number in range(40):
            changed(server, row(1, done=number % 10))
            await asyncio.sleep(0.02)
        changed(server, row(1, done=9))
        messages = [await next_event(response)]
        while messages[-1]["rows"] != [row(1, done=9)] or not messages[-1]["id"].endswith(
            str(server.state.revision)
        ):
            messages.append(await next_event(response))
        took = loop.time() - began

    assert len(messages) <= took / 0.25 + 1
    assert all(len(each["rows"]) == 1 for each in messages)


async def test_a_comment_keeps_the_connection(
    served: tuple[LiveServer, str], visitor: aiohttp.ClientSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While nothing changes."""
    monkeypatch.setattr(server_module, "COMMENT_SECONDS", 0.05)
    _, url = served
    await enter(visitor, url)
    async with visitor.get(f"{url}/events") as response:
        await next_event(response)
        assert (await response.content.readline()).startswith(b": ")


async def test_more_readers_than_there_is_room_for_are_refused(
    served: tuple[LiveServer, str], visitor: aiohttp.ClientSession
) -> None:
    """Those who are there are served on; who leaves makes room."""
    server, url = served
    await enter(visitor, url)
    readers = [await visitor.get(f"{url}/events") for _ in range(MAX_READERS)]
    for reader in readers:
        await next_event(reader)
    async with visitor.get(f"{url}/events") as refused:
        assert refused.status == 503
        assert refused.headers["Retry-After"]
    changed(server, row(1, done=1))
    assert (await next_event(readers[0]))["rows"] == [row(1, done=1)]
    readers[0].close()
    changed(server, row(1, done=2))
    async with asyncio.timeout(5):
        while server.readers == MAX_READERS:
            await asyncio.sleep(0.05)
            changed(server, row(1, done=2))
    for reader in readers:
        reader.close()


async def test_the_end_closes_the_stream(
    served: tuple[LiveServer, str], visitor: aiohttp.ClientSession
) -> None:
    """The last message says that it is the last."""
    server, url = served
    await enter(visitor, url)
    async with visitor.get(f"{url}/events") as response:
        await next_event(response)
        changed(server, row(1, done=10), is_over=True)
        last = await next_event(response)

        assert last["over"] is True
        assert await response.content.read() == b""


def visit(url: str, cookie: str = "", path: str = "/events") -> bytes:
    """Return a request as bytes."""
    address = url.removeprefix("http://")
    return f"GET {path} HTTP/1.1\r\nHost: {address}\r\nCookie: {cookie}\r\n\r\n".encode(
        "utf-8", "surrogateescape"
    )


Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@pytest.fixture
async def opened() -> AsyncIterator[Callable[[str], Awaitable[Streams]]]:
    """Open connections that take a few kilobytes, and no more until they are read."""
    writers = []

    async def open_one(url: str) -> Streams:
        host, _, port = url.removeprefix("http://").partition(":")
        connection = socket.socket()
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.setblocking(False)
        await asyncio.get_running_loop().sock_connect(connection, (host, int(port)))
        reader, writer = await asyncio.open_connection(sock=connection, limit=4096)
        writers.append(writer)
        return reader, writer

    yield open_one
    for writer in writers:
        writer.transport.abort()
    await asyncio.sleep(0.01)


async def readers_are(server: LiveServer, number: int) -> None:
    """Wait until so many read."""
    async with asyncio.timeout(5):
        while server.readers != number:  # noqa: ASYNC110 - the server says nothing of it
            await asyncio.sleep(0.01)


async def to_end(reader: asyncio.StreamReader) -> bytes:
    """Read until the connection ends in one way or another."""
    try:
        return await reader.read()
    except ConnectionError:
        return b""


@pytest.mark.parametrize("value", ["1.\udcff", "\udcff.\udcff", "1.é", "1", "."])
async def test_a_cookie_of_any_bytes_is_refused(
    value: str, served: tuple[LiveServer, str], opened: Callable[[str], Awaitable[Streams]]
) -> None:
    """Not with an error of the server."""
    server, url = served
    reader, writer = await opened(url)
    writer.write(visit(url, f"{server.access.cookie_name}={value}"))
    answer = await reader.readline()

    assert answer.split()[1] == b"401"


async def test_a_reader_that_takes_nothing_is_left(
    served: tuple[LiveServer, str],
    monkeypatch: pytest.MonkeyPatch,
    opened: Callable[[str], Awaitable[Streams]],
) -> None:
    """With its connection, which holds what it did not take."""
    monkeypatch.setattr(server_module, "WRITE_SECONDS", 0.1)
    server, url = served
    server.state.update(head(), rows(*(row(number, title="x" * 5000) for number in range(2000))))
    reader, writer = await opened(url)
    writer.write(visit(url, f"{server.access.cookie_name}={server.access.new_cookie(time.time())}"))
    await readers_are(server, 1)
    await readers_are(server, 0)

    assert len(await to_end(reader)) < 8_000_000  # of ten


async def test_a_reader_holds_no_copy_of_the_rows(
    served: tuple[LiveServer, str], opened: Callable[[str], Awaitable[Streams]]
) -> None:
    """However slow it is, and whatever revision it is sent."""
    server, url = served
    server.state.update(head(), rows(*(row(number, title="x" * 5000) for number in range(2000))))
    cookie = f"{server.access.cookie_name}={server.access.new_cookie(time.time())}"
    tracemalloc.start()
    try:
        for number in range(8):
            changed(server, row(number, done=1))
            _, writer = await opened(url)
            writer.write(visit(url, cookie))
            await readers_are(server, number + 1)
        await asyncio.sleep(0.1)
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert held < 8 * 1_000_000  # ten megabytes are under way to each of them


async def test_connections_that_ask_nothing_leave_room_for_the_watch(
    served: tuple[LiveServer, str],
    monkeypatch: pytest.MonkeyPatch,
    opened: Callable[[str], Awaitable[Streams]],
) -> None:
    """A process has so many files; the watch needs some of them."""
    monkeypatch.setattr(server_module, "MAX_CONNECTIONS", 5)
    _, url = served
    idle = [await opened(url) for _ in range(20)]
    async with asyncio.timeout(5):
        ended = [await to_end(reader) for reader, _ in idle[:15]]

    assert ended == [b""] * 15
    assert not any(reader.at_eof() for reader, _ in idle[15:])


async def test_connections_that_ask_nothing_deny_the_page_to_nobody(
    served: tuple[LiveServer, str],
    visitor: aiohttp.ClientSession,
    opened: Callable[[str], Awaitable[Streams]],
) -> None:
    """A new reader is served at once, and those who read stay, however many come that have no token."""
    server, url = served
    idle = [await opened(url) for _ in range(server_module.MAX_CONNECTIONS)]
    async with asyncio.timeout(5):
        await enter(visitor, url)
        async with visitor.get(f"{url}/events") as response:
            assert response.status == 200
            more = [await opened(url) for _ in range(2 * server_module.MAX_CONNECTIONS)]
            ended = [await to_end(reader) for reader, _ in idle]

            assert server.readers == 1
    assert ended == [b""] * len(idle)
    assert len(more) == 2 * len(idle)


@pytest.mark.parametrize(("site", "status"), [("cross-site", 403), ("same-site", 403), ("same-origin", 200)])
async def test_other_pages_do_not_take_the_places_of_readers(
    site: str, status: int, served: tuple[LiveServer, str], visitor: aiohttp.ClientSession
) -> None:
    """A page of another port of this machine sends the cookie along; it cannot read the answer, but it would hold it."""
    _, url = served
    await enter(visitor, url)
    async with visitor.get(f"{url}/events", headers={"Sec-Fetch-Site": site}) as response:
        assert response.status == status
    async with visitor.get(url, headers={"Sec-Fetch-Site": site}) as response:
        assert response.status == 200


async def test_what_is_no_request_is_not_written_to_the_terminal(
    served: tuple[LiveServer, str],
    caplog: pytest.LogCaptureFixture,
    opened: Callable[[str], Awaitable[Streams]],
) -> None:
    """A traceback on stderr would stand in the middle of a board."""
    _, url = served
    for data in (b"\x16\x03\x01\r\n\r\n", b"GET /?token=\xff HTTP/1.1\r\n\r\n"):
        reader, writer = await opened(url)
        writer.write(data)
        assert b" 400 " in await reader.readline()

    assert {record.name for record in caplog.records} <= {"bkjob_async.live_page"}

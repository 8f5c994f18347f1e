"""Serve a page about a watch until it ends."""

from __future__ import annotations

import asyncio
import secrets
import socket
from contextlib import suppress

from bkjob_async import UsageError
from bkjob_async.cli.board.source import BoardSource
from bkjob_async.cli.lines import write_note
from bkjob_async.cli.live_page.access import Access, hosts_of, load_key, names_of
from bkjob_async.cli.live_page.feed import PageFeed
from bkjob_async.cli.live_page.page_state import PageState
from bkjob_async.cli.live_page.server import LiveServer, listening_on
from bkjob_async.cli.watching.consumers import OpenWatch
from bkjob_async.configuration.proxies import is_this_machine

FLUSH_SECONDS = 0.25
# How long readers have for the last message.
LAST_SECONDS = 1.0


def announced_page(*, host: str, port: int) -> PageConsumer:
    """Return a live page on *host* and *port* (0: a free one), and write its link to stderr.

    The link is written before anything else is drawn there. Raises `UsageError` where nothing can listen there.
    """
    bare = host.strip("[]")
    try:
        listening = socket.create_server(
            (bare, port), family=socket.AF_INET6 if ":" in bare else socket.AF_INET
        )
    except (OSError, OverflowError) as error:
        raise UsageError(f"no page on {host}:{port}: {getattr(error, 'strerror', None) or error}") from None
    page = PageConsumer(listening, host)
    if not is_this_machine(host):
        write_note(
            f"the live page is served on {host}: whoever has the link, or reads the network, sees it all"
        )
    write_note(f"live page, the link works once: {page.link}")
    return page


class PageConsumer:
    """Serves a live page of a watch on a socket that listens already."""

    def __init__(self, listening: socket.socket, host: str) -> None:
        """Serve on *listening*, which listens on *host*; the socket is closed with the page."""
        port, token = int(listening.getsockname()[1]), secrets.token_urlsafe(24)
        names, any_address = names_of(host, socket.gethostname())
        self.link = f"http://{shown_host(host)}:{port}/?token={token}"
        self._socket = listening
        self._access = Access(port, hosts_of(names, port), load_key(), token, any_address)

    async def consume(self, opened: OpenWatch) -> None:
        """Serve until the watch ends; the last state is sent before."""
        loop = asyncio.get_running_loop()
        state = PageState(secrets.token_hex(4))
        feed = PageFeed(BoardSource(opened.client, opened.watch), state)
        feed.flush(loop.time())
        server = LiveServer(state, self._access)
        async with listening_on(self._socket, server.app()):
            flushing = asyncio.create_task(flush_often(feed, server), name="bkjob_async live page")
            try:
                async for batch in opened.watch.batches():
                    feed.apply(batch)
            finally:
                flushing.cancel()
            feed.flush(loop.time(), is_over=True)
            server.changed()
            with suppress(TimeoutError):
                await asyncio.wait_for(server.all_have_left(), LAST_SECONDS)


async def flush_often(feed: PageFeed, server: LiveServer) -> None:
    """Let readers know what changed, four times a second."""
    loop = asyncio.get_running_loop()
    while True:
        if feed.flush(loop.time()):
            server.changed()
        await asyncio.sleep(FLUSH_SECONDS)


def shown_host(host: str) -> str:
    """Return the host of the link."""
    bare = host.strip("[]")
    if bare in {"0.0.0.0", "::"}:  # noqa: S104 - compared, not bound
        return socket.gethostname()
    return f"[{bare}]" if ":" in bare else bare

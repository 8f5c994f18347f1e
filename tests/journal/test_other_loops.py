"""A journal in an event loop, or a process, that it was not opened in."""

from __future__ import annotations

import asyncio
import os
import textwrap
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from subprocess import run
from sys import executable
from typing import Any

import pytest

import bkjob_async as bkjob
from bkjob_async.journal.memory.store import MemoryStore
from tests.journal.redis_server import RedisServer
from tests.journal.stores import HERE, records, sqlite_url
from tests.watch.inside import fleets_in

# Whatever hangs in a child is ended.
SECONDS = 20.0


def test_a_redis_journal_in_another_event_loop_says_that_it_is_opened_anew_there(
    redis_server: RedisServer,
) -> None:
    """As where each call of a program without coroutines is an `asyncio.run`; it was said to be no Redis server."""
    redis_server.flush()
    journal, first = bkjob.open_journal(redis_server.url), asyncio.new_event_loop()
    first.run_until_complete(journal.fleets())

    for call in (journal.fleets, journal.aclose, journal.fleets):
        with pytest.raises(bkjob.WrongEventLoop, match=r"open_journal\(\.\.\.\)"):
            asyncio.run(call())
    assert first.run_until_complete(journal.fleets()) == []
    first.run_until_complete(journal.aclose())
    first.close()


def test_a_sqlite_journal_is_used_in_one_event_loop_after_the_other(tmp_path: Path) -> None:
    """Its thread belongs to none of them."""
    fleet = bkjob.Fleet("night", journal=sqlite_url(tmp_path), shards=1)
    asyncio.run(fleet.create(url="http://127.0.0.1:1", credentials="a:b"))
    asyncio.run(fleet.add("2:20000000001"))

    assert [each.waiting for each in asyncio.run(fleet.status()).shards] == [1]
    asyncio.run(fleet.aclose())


def test_a_journal_in_memory_wakes_those_who_follow_it_in_other_event_loops() -> None:
    """A synchronous client writes in a loop of its own. A loop that was closed meanwhile is passed over."""
    store, closed = MemoryStore(), asyncio.new_event_loop()
    term = asyncio.run(store.open("night", HERE, take_over=True)).term
    waiters = fleets_in(store)["night"].waiters
    waiters.add(closed.create_future())
    closed.close()

    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(asyncio.run, store.wait_any({"night": 0}, seconds=2 * SECONDS), debug=True)
        while len(waiters) < 2:
            time.sleep(0.01)
        asyncio.run(store.append("night", term=term, head=0, records=records(1), targets=1))

        assert waiting.result(SECONDS) == ["night"]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="processes are forked on POSIX only")
@pytest.mark.parametrize("kind", ["sqlite", "redis"])
def test_a_forked_child_is_told_to_open_a_journal_anew(
    kind: str, tmp_path: Path, redis_server: RedisServer
) -> None:
    """If it was used before; it waited for ever for a thread that the parent has. The parent goes on."""
    redis_server.flush()
    url = sqlite_url(tmp_path) if kind == "sqlite" else redis_server.url
    program = """
        import asyncio, os, sys
        import bkjob_async as bkjob

        async def main():
            fleet = bkjob.Fleet("night", journal=sys.argv[1], shards=1)
            await fleet.create(url="http://127.0.0.1:1", credentials="a:b")
            child = os.fork()
            if child:
                assert os.waitpid(child, 0)[1] == 0
                await fleet.add("2:20000000001")
                print((await fleet.status()).shards[0].waiting)
                await fleet.aclose()
            return None if child else fleet

        async def in_child(inherited):
            try:
                await inherited.add("2:20000000001")
            except bkjob.WrongEventLoop as error:
                print("Fleet(...)" in str(error))
            async with bkjob.Fleet("night", journal=sys.argv[1]) as fleet:
                await fleet.add("2:20000000002")
            if sys.argv[1].startswith("sqlite"):
                await inherited.aclose()

        fleet = asyncio.new_event_loop().run_until_complete(main())
        if fleet is not None:
            asyncio.new_event_loop().run_until_complete(in_child(fleet))
            sys.stdout.flush()
            os._exit(0)
        """

    done = run(
        [executable, "-c", textwrap.dedent(program), url],
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )

    assert (done.stdout.split(), done.stderr) == (["True", "2"], "")


def test_a_redis_server_that_was_away_in_one_event_loop_is_used_in_the_next(tmp_path: Path) -> None:
    """Several commands waited for the connection at the same time, in both."""
    server = RedisServer(tmp_path)
    journal = bkjob.open_journal(server.url)

    async def both() -> list[Any]:
        return [*await asyncio.gather(journal.fleets(), journal.fleets(), return_exceptions=True)]

    async def both_and_close() -> list[Any]:
        found = await both()
        await journal.aclose()
        return found

    away = asyncio.run(both())
    server.start()
    try:
        there = asyncio.run(both_and_close())
    finally:
        server.kill()

    assert [type(each) for each in away] == [bkjob.JournalUnavailable] * 2
    assert there == [[], []]

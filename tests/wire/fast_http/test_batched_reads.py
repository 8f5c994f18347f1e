"""Responses that come one after the other are read together, and what is no response is never taken for one."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import pytest

from bkjob_async.http_messages import HttpRequest
from bkjob_async.wire.aiohttp_transport import AiohttpTransport
from bkjob_async.wire.fast_http import batched_reads
from bkjob_async.wire.fast_http.batched_reads import FEWEST_AWAITED, BatchedReads, open_batched_reads
from tests.wire.raw_server import answer, responding

WINDOW = 0.1


class Pair:
    """A connection that notes in which turn it was read, and the other end of it."""

    def __init__(self, turns: list[list[int]], number: int) -> None:
        self.ours, self.theirs = socket.socketpair()
        self.is_ending = False
        self._turns = turns
        self._number = number

    def on_readable(self, *, is_ending: bool) -> None:
        """Read all, and note that."""
        self.is_ending |= is_ending
        self.ours.recv(100)
        self._turns[-1].append(self._number)


@asynccontextmanager
async def reading(
    monkeypatch: pytest.MonkeyPatch, idle: Sequence[object] = ()
) -> AsyncIterator[tuple[BatchedReads, list[Pair], list[list[int]]]]:
    """Yield eight connections that are read together, and which of them each turn of the loop has read."""
    monkeypatch.setattr(batched_reads, "WINDOW", WINDOW)
    turns: list[list[int]] = [[]]
    reads = open_batched_reads(idle)
    assert reads is not None
    pairs = [Pair(turns, number) for number in range(8)]
    for pair in pairs:
        reads.add(pair.ours.fileno(), pair)

    async def count_turns() -> None:
        while True:
            turns.append([])
            await asyncio.sleep(0)

    counting = asyncio.create_task(count_turns())
    try:
        yield reads, pairs, turns
    finally:
        counting.cancel()
        for pair in pairs:
            reads.remove(pair.ours.fileno())
            pair.ours.close()
            pair.theirs.close()


async def read_by(turns: list[list[int]], count: int) -> list[list[int]]:
    """Wait until so many responses were read; return those of each turn in which there were any."""
    while sum(map(len, turns)) < count:  # noqa: ASYNC110 - what reads knows nothing of this test
        await asyncio.sleep(0.001)
    return [sorted(turn) for turn in turns if turn]


async def test_what_comes_within_a_window_is_read_in_one_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first response is read as it comes, the last few, too."""
    async with reading(monkeypatch) as (_, pairs, turns):
        pairs[0].theirs.send(b"x")
        assert await read_by(turns, 1) == [[0]]
        for pair in pairs[1:4]:
            pair.theirs.send(b"x")
            await asyncio.sleep(0.001)

        assert await read_by(turns, 4) == [[0], [1, 2, 3]]


async def test_where_few_are_awaited_each_is_read_as_it_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Idle connections await nothing."""
    idle = range(8 - FEWEST_AWAITED)
    async with reading(monkeypatch, idle) as (reads, pairs, turns):
        for count, pair in enumerate(pairs[:3], 1):
            pair.theirs.send(b"x")
            assert len(await read_by(turns, count)) == count
            assert not (reads._timer is not None)


async def test_an_end_is_told_apart_from_a_response(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is left to the transport."""
    async with reading(monkeypatch) as (_, pairs, turns):
        pairs[0].theirs.send(b"x")
        await read_by(turns, 1)
        pairs[1].theirs.send(b"x")
        pairs[1].theirs.close()

        assert await read_by(turns, 2) == [[0], [1]]
        assert (pairs[0].is_ending, pairs[1].is_ending) == (False, True)


async def test_the_event_loop_watches_nothing_when_no_connection_is_left(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """No timer is left either."""
    async with reading(monkeypatch) as (reads, pairs, turns):
        pairs[0].theirs.send(b"x")
        await read_by(turns, 1)
        had_window = reads._timer is not None

    assert (had_window, (reads._timer is not None)) == (True, False)
    assert not asyncio.get_running_loop().remove_reader(reads._epoll.fileno())


# With connections ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["forging", "ending"])
async def test_a_connection_that_is_not_silent_in_a_window_is_not_used_again(
    path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """More bytes than a response would pass for the next one; one that has ended has no next one."""
    monkeypatch.setattr(batched_reads, "WINDOW", 5 * WINDOW)
    let_go, headers = asyncio.Event(), dict[str, str]()

    async def respond(_connection: int, _request: int, head: bytes, writer: asyncio.StreamWriter) -> bool:
        if b"/waiting" in head:
            await let_go.wait()
        writer.write(answer(b"{}"))
        await writer.drain()
        await asyncio.sleep(WINDOW / 20)
        if b"/forging" in head:
            writer.write(answer(b'{"forged": true}'))
        return b"/ending" not in head

    async with responding(respond) as (server, url):
        transport = AiohttpTransport()

        async def ask(name: str) -> bytes:
            request = HttpRequest(method="GET", url=url.with_path(f"/{name}"), headers=headers)
            return (await transport.send(request, timeout=5.0)).body

        try:
            waiting = [asyncio.create_task(ask("waiting")) for _ in range(FEWEST_AWAITED + 1)]
            await asyncio.sleep(WINDOW / 2)
            first = await ask(path)
            await asyncio.sleep(WINDOW / 2)  # the window has not ended, so nobody has read what came
            second = await ask("at-once")
            connections = server.connections
            let_go.set()
            await asyncio.gather(*waiting)
        finally:
            await transport.aclose()

    assert (first, second) == (b"{}", b"{}")
    assert connections == FEWEST_AWAITED + 3

"""What a strong engineer writes in sixty lines: URLs kept, minimal structs, dicts of last states, due times, one queue of tuples."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable

import aiohttp
from msgspec import Struct
from msgspec.json import Decoder
from yarl import URL

OPEN = frozenset({1, 2, 7})
Change = tuple[int, int | None, int | None, int]
"""Target, host (None for the step itself), status before, status after."""


class Host(Struct, gc=False):
    """As much of a host's row as a change needs."""

    bk_host_id: int
    status: int


class Group(Struct, gc=False):
    """Hosts of one status."""

    host_result_list: list[Host] | None = None


class Step(Struct, gc=False):
    """A step and its groups."""

    status: int
    step_result_group_list: list[Group] | None = None


class Response(Struct, gc=False):
    """The whole response."""

    code: int
    data: Step


decode = Decoder(Response).decode


def compare(target: int, hosts: dict[int, int], step: Step, put: Callable[[Change], None]) -> None:
    """Compare the last statuses of *hosts* with a response, and put what changed."""
    for group in step.step_result_group_list or ():
        for host in group.host_result_list or ():
            before = hosts.get(host.bk_host_id)
            if before != host.status:
                hosts[host.bk_host_id] = host.status
                put((target, host.bk_host_id, before, host.status))


class StrongPoller:
    """Polls steps every *interval* seconds until they are over; `changes` has what changed, first sights included."""

    def __init__(self, session: aiohttp.ClientSession, interval: float, *, in_flight: int = 32) -> None:
        self.changes: asyncio.Queue[Change] = asyncio.Queue()
        self.polls = 0
        self._session = session
        self._interval = interval
        self._permits = asyncio.Semaphore(in_flight)

    async def follow(self, target: int, url: URL) -> None:
        """Poll one step until it is over."""
        loop, hosts, status = asyncio.get_running_loop(), dict[int, int](), None
        due = loop.time()
        while status is None or status in OPEN:
            await asyncio.sleep(due - loop.time())
            async with self._permits:
                step = await self._read(url)
            compare(target, hosts, step, self.changes.put_nowait)
            if step.status != status:
                self.changes.put_nowait((target, None, status, step.status))
                status = step.status
            self.polls += 1
            due = max(due + self._interval, loop.time())

    async def _read(self, url: URL) -> Step:
        async with self._session.get(url) as response:
            answer = decode(await response.read())
        if answer.code:
            raise RuntimeError(f"the platform refuses {url}: {answer.code}")
        return answer.data

    async def follow_all(self, urls: Iterable[str]) -> None:
        """Poll all steps, each by its encoded URL, until they are over."""
        async with asyncio.TaskGroup() as group:
            for number, url in enumerate(urls):
                group.create_task(self.follow(number, URL(url, encoded=True)))

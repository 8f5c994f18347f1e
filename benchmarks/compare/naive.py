"""The poll loop that people write first: a task per target, a full read per poll, one queue item per event."""

from __future__ import annotations

import asyncio
from typing import Any

import aiohttp
import cattrs

from benchmarks.compare.full_read import Host, StepResponse, changed_hosts, hosts_by_id


class NaivePoller:
    """Polls targets, a task for each, and puts every change into one queue."""

    def __init__(self, session: aiohttp.ClientSession, headers: dict[str, str]) -> None:
        self.polls = 0
        self.events: asyncio.Queue[tuple[str, tuple[int, int | None, int]]] = asyncio.Queue()
        self._session = session
        self._headers = headers

    async def poll(self, url: str, parameters: dict[str, Any]) -> None:
        """Poll one target until cancelled."""
        known: dict[int, Host] = {}
        while True:
            async with self._session.get(url, params=parameters, headers=self._headers) as response:
                body = cattrs.structure(await response.json(), StepResponse)
            hosts = hosts_by_id(body)
            for change in changed_hosts(known, hosts):
                await self.events.put((url, change))
            known = hosts
            self.polls += 1

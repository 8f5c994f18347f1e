"""The poll loop that people write first: a task per target, everything decoded, dicts compared, an event at a time."""

from __future__ import annotations

import asyncio
from typing import Any

import aiohttp
import cattrs
from attrs import frozen


@frozen
class Host:
    """A host as documented, all thirteen fields; what the platform knows of its end is null until then."""

    bk_host_id: int
    ip: str
    bk_cloud_id: int
    bk_cloud_name: str
    ipv6: str | None
    status: int
    status_desc: str
    tag: str | None
    exit_code: int | None
    error_code: int | None
    start_time: int | None
    end_time: int | None
    total_time: int | None


@frozen
class Group:
    """A group of hosts."""

    result_type: int
    result_type_desc: str
    tag: str
    host_size: int
    host_result_list: list[Host]


@frozen
class Step:
    """A step with its groups."""

    step_instance_id: int
    execute_count: int
    name: str
    type: int
    status: int
    create_time: int
    start_time: int
    end_time: int | None
    total_time: int
    step_result_group_list: list[Group]


@frozen
class Answer:
    """The whole answer about a step."""

    code: int
    result: bool
    job_request_id: str
    data: Step


class Targets:
    """Polls targets, a task for each, and puts what moved into one queue."""

    def __init__(self, session: aiohttp.ClientSession, headers: dict[str, str]) -> None:
        self.polls = 0
        self.events: asyncio.Queue[tuple[str, Host | None, Host]] = asyncio.Queue()
        self._session = session
        self._headers = headers

    async def poll(self, url: str, parameters: dict[str, Any]) -> None:
        """Poll one target for ever."""
        known: dict[int, Host] = {}
        while True:
            async with self._session.get(url, params=parameters, headers=self._headers) as response:
                answer = cattrs.structure(await response.json(), Answer)
            known = await self._compare(url, known, answer.data)
            self.polls += 1

    async def _compare(self, url: str, known: dict[int, Host], step: Step) -> dict[int, Host]:
        seen = hosts_of(step)
        for host_id, host in seen.items():
            before = known.get(host_id)
            if before is None or before.status != host.status:
                await self.events.put((url, before, host))
        return seen


def hosts_of(step: Step) -> dict[int, Host]:
    """Return the hosts of a step by their id."""
    return {host.bk_host_id: host for group in step.step_result_group_list for host in group.host_result_list}

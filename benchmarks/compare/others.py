"""Other clients that do the same work: poll, compare with the last response, record which hosts changed."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from functools import partial
from threading import Event
from typing import Any

import aiohttp
import httpx
from bkapi_client_core.apigateway import (
    APIGatewayClient,
    Operation,
    OperationGroup,
    bind_property,
)
from requests.adapters import HTTPAdapter

from benchmarks.compare.processes import cpu_per_poll

CREDENTIALS = {"bk_app_code": "bench", "bk_app_secret": "bench", "bk_username": "admin"}
HEADERS = {
    "X-Bkapi-Authorization": '{"bk_app_code": "bench", "bk_app_secret": "bench", "bk_username": "admin"}'
}
PATH = "/api/v3/get_step_instance_status"


class LastStatuses:
    """The last status of each host of one target, and the changes of the last poll."""

    def __init__(self) -> None:
        self.polls = 0
        self.changes: list[tuple[int, int | None, int]] = []
        self._known: dict[int, int] = {}

    def apply(self, response: Any) -> None:
        """Record which hosts changed since the last response."""
        groups = response["data"]["step_result_group_list"]
        seen = {host["bk_host_id"]: host["status"] for group in groups for host in group["host_result_list"]}
        known, self._known = self._known, seen
        changed = [(n, known.get(n), status) for n, status in seen.items() if known.get(n) != status]
        self.changes = changed
        self.polls += 1


def parameters(job: int) -> dict[str, str]:
    """Return the query parameters for one target."""
    return {
        "bk_scope_type": "biz",
        "bk_scope_id": "2",
        "job_instance_id": str(job),
        "step_instance_id": "1",
        "batch": "0",
    }


class Group(OperationGroup):  # type: ignore[misc]  # the SDK has no types
    """The one operation that the benchmark needs."""

    get_step_instance_status = bind_property(
        Operation, name="get_step_instance_status", method="GET", path=PATH
    )


class Client(APIGatewayClient):  # type: ignore[misc]  # the SDK has no types
    """The SDK's client, as generated SDKs define it."""

    _api_name = "bk-job"
    api = bind_property(Group, name="api")


def sdk(server: str, threads: int, seconds: float, *, pooled: bool) -> float:
    """Poll with the platform's SDK in threads; return the CPU microseconds per poll.

    As usually used, the SDK closes its connection after each call; *pooled* keeps one connection per thread.
    """
    client = sdk_client(server, threads, pooled=pooled)
    targets = [LastStatuses() for _ in range(threads)]
    is_over = Event()

    def poll(number: int) -> None:
        while not is_over.is_set():
            targets[number].apply(client.api.get_step_instance_status(parameters(number + 1)))

    with client if pooled else nullcontext(), ThreadPoolExecutor(threads) as pool:
        running = [pool.submit(poll, number) for number in range(threads)]
        used = measured(
            partial(sum_of_polls, targets), seconds, is_ended=lambda: any(f.done() for f in running)
        )
        is_over.set()
        for future in running:
            future.result()
    return used


def sdk_once(server: str, threads: int, targets: int, *, pooled: bool) -> None:
    """Poll each of *targets* targets once."""
    client = sdk_client(server, threads, pooled=pooled)
    with client if pooled else nullcontext(), ThreadPoolExecutor(threads) as pool:
        for response in pool.map(client.api.get_step_instance_status, map(parameters, range(1, targets + 1))):
            LastStatuses().apply(response)


def sdk_client(server: str, threads: int, *, pooled: bool) -> Any:
    """Return the SDK's client; *pooled* adds a pool with one connection per thread."""
    client = Client(endpoint=server, stage="")
    client.update_bkapi_authorization(**CREDENTIALS)
    if pooled:
        client.session.mount("http://", HTTPAdapter(pool_connections=1, pool_maxsize=threads))
    return client


def measured(polls: Callable[[], int], seconds: float, *, is_ended: Callable[[], bool]) -> float:
    """Return the CPU microseconds per poll, after a short warm-up; at least one poll is made unless all *is_ended*."""
    time.sleep(0.4)
    started, before = time.process_time(), polls()
    time.sleep(seconds)
    while polls() == before and not is_ended():  # on a busy machine nothing may have run yet
        time.sleep(0.01)
    return (time.process_time() - started) / max(1, polls() - before) * 1e6


async def aiohttp_loop(server: str, in_flight: int, seconds: float) -> float:
    """Poll with a bare aiohttp loop, a task for each request in flight."""
    targets = [LastStatuses() for _ in range(in_flight)]

    async def poll(number: int) -> None:
        while True:
            async with session.get(server + PATH, params=parameters(number + 1), headers=HEADERS) as response:
                targets[number].apply(await response.json())

    async with aiohttp.ClientSession() as session:
        return await cpu_of_loops([poll(number) for number in range(in_flight)], targets, seconds)


async def httpx_loop(server: str, in_flight: int, seconds: float) -> float:
    """Poll with httpx. It is fastest with one request in flight: its pool scans all connections for each request."""
    targets = [LastStatuses() for _ in range(in_flight)]

    async def poll(number: int) -> None:
        while True:
            response = await client.get(server + PATH, params=parameters(number + 1), headers=HEADERS)
            targets[number].apply(response.json())

    async with httpx.AsyncClient() as client:
        return await cpu_of_loops([poll(number) for number in range(in_flight)], targets, seconds)


async def cpu_of_loops(loops: list[Any], targets: list[LastStatuses], seconds: float) -> float:
    """Run endless loops for *seconds*; return the CPU microseconds per poll."""
    tasks = [asyncio.create_task(loop) for loop in loops]
    polls = partial(sum_of_polls, targets)
    measuring = asyncio.create_task(cpu_per_poll(polls, warm=1, seconds=seconds))
    await asyncio.wait([measuring, *tasks], return_when=asyncio.FIRST_COMPLETED)
    for task in tasks:
        task.cancel()
    for ended in await asyncio.gather(*tasks, return_exceptions=True):
        if isinstance(ended, Exception):
            measuring.cancel()
            raise ended
    return await measuring


def sum_of_polls(targets: Sequence[LastStatuses]) -> int:
    """Return the number of polls of all targets."""
    return sum(target.polls for target in targets)

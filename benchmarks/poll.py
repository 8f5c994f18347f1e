"""CPU of one poll in the client's process, compared with bare aiohttp, a loop that people write first, and a strong one.

All of them poll the same server in another process without pauses, one full read per poll; figures are CPU time, user
and system.

* *ours* is the public API: `connect`, `watch`, one reader of all events. It polls without pauses because the interval is
  close to zero and there is no rate limit; there are twice as many targets as requests in flight, so that some target
  is always due. One capability of the dialect is switched off (groups), so that every poll is a full read.
* *bare* is tuned aiohttp: prepared URLs, headers on the session, no timeout, no cookies; it gets and reads, no more.
* *naive* is a task per target, default aiohttp, `r.json()`, cattrs into the thirteen fields, dicts compared, one queue
  `put` per event. It does not sleep between polls.
* *strong* is what a strong engineer writes in sixty lines (`compare/strong.py`), at an interval of zero.

From 100 hosts up, 1 % of the hosts change at each poll. With `/gzip/` the server compresses its responses.
"""

from __future__ import annotations

import asyncio
from typing import Any

import aiohttp
from attrs import evolve
from msgspec.structs import replace
from yarl import URL

import bkjob_async as bkjob
from benchmarks.compare.bodies import STEP
from benchmarks.compare.following import strong_poller
from benchmarks.compare.naive import NaivePoller
from benchmarks.compare.processes import cpu_per_poll, interleaved, print_figures
from benchmarks.compare.server import running_server
from benchmarks.scale import scaled
from benchmarks.table import show
from bkjob_async.dialects.gateway.v3 import GATEWAY_V3

# Hosts: requests in flight, seconds.
SIZES = scaled({1: (32, 1.0), 1_000: (32, 1.5), 10_000: (8, 2.5)}, {1: (8, 0.2), 1_000: (8, 0.2)})
CREDENTIALS = bkjob.AppCredentials(bk_app_code="bench", bk_app_secret="bench", bk_username="admin")  # noqa: S106 - made up
SIGNED = {
    "Accept": "application/json",
    "Content-Type": "application/json",
    "X-Bkapi-Authorization": '{"bk_app_code": "bench", "bk_app_secret": "bench", "bk_username": "admin"}',
}
WAYS = ("bare", "naive", "strong", "ours")
PATH = "/api/v3/get_step_instance_status"


def parameters(job: int) -> dict[str, Any]:
    """Return the query parameters for one target."""
    return {
        "bk_scope_type": "biz",
        "bk_scope_id": "2",
        "job_instance_id": str(job),
        "step_instance_id": str(STEP),
        "batch": "0",
    }


async def bare(server: str, in_flight: int, seconds: float) -> float:
    """Get and read, no more."""
    polls = 0

    async def ask(url: URL) -> None:
        nonlocal polls
        while True:
            response = await session.get(url, allow_redirects=False)
            await response.read()
            polls += 1

    async with aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0),
        headers=SIGNED,
        timeout=aiohttp.ClientTimeout(total=None),
        cookie_jar=aiohttp.DummyCookieJar(),
    ) as session:
        urls = [
            URL(str(URL(server + PATH).with_query(parameters(n))), encoded=True)
            for n in range(1, in_flight + 1)
        ]
        tasks = [asyncio.create_task(ask(url)) for url in urls]
        used = await cpu_per_poll(lambda: polls, warm=4 * in_flight, seconds=seconds)
        await cancel_all(tasks)
    return used


async def naive(server: str, in_flight: int, seconds: float) -> float:
    """Poll as people do at first."""
    async with aiohttp.ClientSession() as session:
        poller = NaivePoller(session, SIGNED)

        async def read() -> None:
            while True:
                await poller.events.get()

        numbers = range(1, in_flight + 1)
        tasks = [asyncio.create_task(poller.poll(server + PATH, parameters(n))) for n in numbers]
        tasks.append(asyncio.create_task(read()))
        used = await cpu_per_poll(lambda: poller.polls, warm=2 * in_flight, seconds=seconds)
        await cancel_all(tasks)
    return used


async def ours(server: str, in_flight: int, seconds: float) -> float:
    """Poll with the public API."""
    dialect = GATEWAY_V3
    full_reads = evolve(dialect, capabilities=replace(dialect.capabilities, groups=False))
    client = bkjob.connect(
        server, CREDENTIALS, dialect=full_reads, interval=1e-6, max_in_flight=in_flight, request_timeout=30
    )
    refs = [bkjob.JobRef(bkjob.Scope.biz(2), n).step(STEP) for n in range(1, 2 * in_flight + 1)]
    async with client, client.watch(refs) as watch:

        async def read() -> None:
            async for _ in watch:
                pass

        task = asyncio.create_task(read())
        used = await cpu_per_poll(lambda: watch.stats().polls, warm=4 * len(refs), seconds=seconds)
        await cancel_all([task])
    return used


async def strong(server: str, in_flight: int, seconds: float) -> float:
    """Poll as a strong engineer does."""
    refs = [bkjob.JobRef(bkjob.Scope.biz(2), n).step(STEP) for n in range(1, 2 * in_flight + 1)]
    async with strong_poller(server, refs, 0.0, in_flight) as poller:
        return await cpu_per_poll(lambda: poller.polls, warm=4 * len(refs), seconds=seconds)


async def cancel_all(tasks: list[asyncio.Task[None]]) -> None:
    """Cancel tasks; raise the first error of one that had failed."""
    for task in tasks:
        task.cancel()
    for ended in await asyncio.gather(*tasks, return_exceptions=True):
        if isinstance(ended, Exception):
            raise ended


def child(way: str, server: str, in_flight: int, seconds: float) -> None:
    """Measure one way in this process."""
    ways = {"bare": bare, "naive": naive, "strong": strong, "ours": ours}
    print_figures(cpu=asyncio.run(ways[way](server, in_flight, seconds)))


def main() -> None:
    """Measure and print."""
    with running_server() as server:
        variants = {
            f"{way} {encoding} {hosts}": (
                f"from benchmarks.poll import child; child({way!r}, '{server}/{encoding}/{hosts}', {load}, {seconds})"
            )
            for encoding, sizes in (("plain", SIZES), ("gzip", {1_000: SIZES[1_000]}))
            for hosts, (load, seconds) in sizes.items()
            for way in WAYS
        }
        found = {name: figures["cpu"] for name, figures in interleaved(variants).items()}
    rows = [
        (
            size,
            *(f"{found[f'{way} {size}']:.1f}" for way in WAYS),
            f"{found[f'ours {size}'] / found[f'bare {size}']:.3f}",
            f"{found[f'ours {size}'] / found[f'naive {size}']:.4f}",
            f"{found[f'ours {size}'] / found[f'strong {size}']:.3f}",
        )
        for size in dict.fromkeys(name.partition(" ")[2] for name in variants)
    ]
    columns = ("body, hosts", *(f"{way} µs" for way in WAYS), "ours / bare", "ours / naive", "ours / strong")
    show("poll: CPU per poll of the client's process", columns, rows)

"""Following simulated steps to their end, with the public API and with the strong competitor; measured in this process."""

from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

import aiohttp

import bkjob_async as bkjob
from benchmarks.compare import strong
from benchmarks.compare.bodies import STEP
from benchmarks.compare.life_server import Life, requests, resume, running_life
from benchmarks.compare.processes import memory, print_figures

CREDENTIALS = bkjob.AppCredentials(bk_app_code="bench", bk_app_secret="bench", bk_username="admin")  # noqa: S106 - made up
# 32 requests in flight would be a hundred a second where a response takes 0.3 s.
IN_FLIGHT, FAR_IN_FLIGHT = 32, 256
# An interval so long that each step is looked at once. (seconds)
SELDOM = 300.0
PATH = "/api/v3/get_step_instance_status"
HEADERS = {
    "Accept": "application/json",
    "X-Bkapi-Authorization": '{"bk_app_code": "bench", "bk_app_secret": "bench", "bk_username": "admin"}',
}


def url_of(server: str, ref: bkjob.StepRef) -> str:
    """Return the URL of a full read."""
    return (
        f"{server}{PATH}?bk_scope_type=biz&bk_scope_id={ref.scope.id}&job_instance_id={ref.job_instance_id}"
        f"&step_instance_id={ref.step_instance_id}&batch=0"
    )


async def follow_ours(server: str, refs: Sequence[bkjob.StepRef], interval: float) -> dict[str, float]:
    """Follow steps to their end with one reader of all events; return the CPU seconds and what was found."""
    kinds, changes = bkjob.HostChanged | bkjob.StepChanged, 0
    async with bkjob.connect(server, CREDENTIALS, interval=interval) as client:
        started = begin(server)
        async with client.watch(refs) as watch:
            async for event in watch:
                changes += isinstance(event, kinds)
            polls = watch.stats().polls
        used = time.process_time() - started
    return {"cpu": used, "polls": polls, "changes": changes}


async def follow_strong(server: str, refs: Sequence[bkjob.StepRef], interval: float) -> dict[str, float]:
    """Do the same with the competitor."""
    changes = over = 0
    async with aiohttp.ClientSession(headers=HEADERS) as session:
        poller = strong.StrongPoller(session, interval)
        started = begin(server)
        task = asyncio.create_task(poller.follow_all(url_of(server, ref) for ref in refs))
        while over < len(refs):
            _, host, _, after = await poller.changes.get()
            changes += 1
            over += host is None and after not in strong.OPEN
        await task
        used = time.process_time() - started
    return {"cpu": used, "polls": poller.polls, "changes": changes}


async def follow_bare(server: str, refs: Sequence[bkjob.StepRef], interval: float) -> dict[str, float]:
    """Read as many bytes by asyncio's streams alone, decode as little, and compare; what no client can be below."""
    loop, address = asyncio.get_running_loop(), urlsplit(server)
    head = "".join(f"{name}: {value}\r\n" for name, value in HEADERS.items())
    polls = changes = 0

    async def follow(target: int, url: str) -> None:
        nonlocal polls, changes
        request = f"GET {url.removeprefix(server)} HTTP/1.1\r\nHost: {address.netloc}\r\n{head}\r\n".encode()
        reader, writer = await asyncio.open_connection(address.hostname, address.port)
        hosts, found, status = dict[int, int](), list[strong.Change](), None
        due = loop.time()
        while status is None or status in strong.OPEN:
            await asyncio.sleep(due - loop.time())
            writer.write(request)
            size = (await reader.readuntil(b"\r\n\r\n")).lower().partition(b"content-length:")[2]
            step = strong.decode(await reader.readexactly(int(size.partition(b"\r\n")[0]))).data
            strong.compare(target, hosts, step, found.append)
            changes += step.status != status
            status = step.status
            polls += 1
            due = max(due + interval, loop.time())
        changes += len(found)
        writer.close()

    started = begin(server)
    async with asyncio.TaskGroup() as group:
        for number, ref in enumerate(refs):
            group.create_task(follow(number, url_of(server, ref)))
    return {"cpu": time.process_time() - started, "polls": polls, "changes": changes}


def begin(server: str) -> float:
    """Let the steps' time pass; return the CPU seconds of this process until now."""
    resume(server)
    return time.process_time()


def child(way: str, life: Life, interval: float) -> None:
    """Measure one life in this process."""
    follow = {"ours": follow_ours, "strong": follow_strong, "bare": follow_bare}[way]
    sent = list[int]()
    with running_life(life, sent) as (server, refs):
        found = asyncio.run(follow(server, refs, interval))
        found["requests"] = requests(server)
    print_figures(**found, megabytes=sent[0] / 1e6)


# First looks ----------------------------------------------------------------------------------------------------------


async def first_look_with_ours(server: str, refs: Sequence[bkjob.StepRef]) -> dict[str, float]:
    """Look once at each step; return the CPU microseconds per step.

    The first one is not measured, nor is what is imported for it.
    """
    begun, changes = 0.0, 0
    async with bkjob.connect(server, CREDENTIALS, interval=SELDOM) as client:
        for some in (refs[:1], refs[1:]):
            begun, changes = time.process_time(), 0
            async with client.watch(some) as watch:
                async for event in watch:
                    changes += isinstance(event, bkjob.HostChanged)
                    if isinstance(event, bkjob.InSync):
                        break
    return {"cpu": 1e6 * (time.process_time() - begun) / (len(refs) - 1), "changes": changes}


async def first_look_with_strong(server: str, refs: Sequence[bkjob.StepRef]) -> dict[str, float]:
    """Do the same with the competitor."""
    begun, changes = 0.0, 0
    async with aiohttp.ClientSession(headers=HEADERS) as session:
        for some in (refs[:1], refs[1:]):
            begun, changes, seen = time.process_time(), 0, 0
            poller = strong.StrongPoller(session, SELDOM)
            task = asyncio.create_task(poller.follow_all(url_of(server, ref) for ref in some))
            while seen < len(some):  # hosts come before their step
                _, host, _, _ = await poller.changes.get()
                seen += host is None
                changes += host is not None
            task.cancel()
            await asyncio.wait([task])
    return {"cpu": 1e6 * (time.process_time() - begun) / (len(refs) - 1), "changes": changes}


def first_look(way: str, life: Life) -> None:
    """Measure first looks in this process."""
    with running_life(life) as (server, refs):
        resume(server)
        print_figures(
            **asyncio.run((first_look_with_ours if way == "ours" else first_look_with_strong)(server, refs))
        )


# Looks for ever -------------------------------------------------------------------------------------------------------


async def look_with_ours(
    server: str, refs: Sequence[bkjob.StepRef], interval: float, seconds: float, in_flight: int
) -> dict[str, float]:
    """Follow steps that do not end; return the CPU microseconds per look, looks made, and memory."""
    async with (
        bkjob.connect(server, CREDENTIALS, interval=interval, max_in_flight=in_flight) as client,
        client.watch(refs) as watch,
    ):
        reading = asyncio.create_task(read_all(watch))
        found = await looks(lambda: watch.stats().polls, len(refs), interval, seconds)
        reading.cancel()
    return found


async def look_with_strong(
    server: str, refs: Sequence[bkjob.StepRef], interval: float, seconds: float, in_flight: int
) -> dict[str, float]:
    """Do the same with the competitor."""
    async with strong_poller(server, refs, interval, in_flight) as poller:
        return await looks(lambda: poller.polls, len(refs), interval, seconds)


@asynccontextmanager
async def strong_poller(
    server: str, refs: Sequence[bkjob.StepRef], interval: float, in_flight: int
) -> AsyncIterator[strong.StrongPoller]:
    """Follow steps that do not end with the competitor, and read all that it reports."""
    connector = aiohttp.TCPConnector(limit=in_flight)
    async with aiohttp.ClientSession(headers=HEADERS, connector=connector) as session:
        poller = strong.StrongPoller(session, interval, in_flight=in_flight)

        async def read() -> None:
            while True:
                await poller.changes.get()

        tasks = [
            asyncio.create_task(poller.follow_all(url_of(server, ref) for ref in refs)),
            asyncio.create_task(read()),
        ]
        yield poller
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        if tasks[0].done() and not tasks[0].cancelled():
            tasks[0].result()


async def read_all(watch: bkjob.Watch) -> None:
    """Read all events."""
    async for _ in watch:
        pass


async def looks(polls: Callable[[], int], targets: int, interval: float, seconds: float) -> dict[str, float]:
    """Return CPU microseconds per look, looks made of those due, and this process's memory in MB.

    The first looks are not measured: they come as fast as they can, and all hosts are new. What they leave to the garbage
    collector is collected before the others.
    """
    loop, used = asyncio.get_running_loop(), time.process_time
    while polls() < 1.1 * targets:  # noqa: ASYNC110 - the measured code must not set events for us
        await asyncio.sleep(0.05)
    gc.collect()
    # The CPU time is read first at the end and last at the beginning: `polls` may visit every target.
    before, start, cpu = polls(), loop.time(), used()
    spent = took = made = 0.0
    while not made:  # on a busy machine nothing may have run yet
        await asyncio.sleep(seconds)
        spent, took, made = used() - cpu, loop.time() - start, polls() - before
    return {"cpu": 1e6 * spent / made, "made": made * interval / (targets * took), "memory": memory("VmRSS")}


def look(way: str, server: str, targets: int, interval: float, seconds: float) -> None:
    """Measure looks at steps that do not end in this process."""
    refs = [bkjob.StepRef(bkjob.Scope.biz(2), number, STEP) for number in range(1, targets + 1)]
    measure = {"ours": look_with_ours, "strong": look_with_strong}[way]
    print_figures(**asyncio.run(measure(server, refs, interval, seconds, IN_FLIGHT)))


def look_far_away(way: str, steps: int, delay: float, seconds: float) -> None:
    """Measure looks at one-host steps of a platform that is *delay* seconds away, at an interval of a second."""
    with running_life(Life(steps=steps, hosts=1, seconds=1e6, delay=delay)) as (server, refs):
        measure = {"ours": look_with_ours, "strong": look_with_strong}[way]
        print_figures(**asyncio.run(measure(server, refs, 1.0, seconds, FAR_IN_FLIGHT)))

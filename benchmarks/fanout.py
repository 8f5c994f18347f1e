"""CPU of delivering one event to one reader, compared with a queue per reader and a `put` per event."""

from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Sequence
from statistics import median
from typing import Any

from benchmarks.offline import poller_without_platform
from benchmarks.scale import scaled
from benchmarks.table import show
from bkjob_async.engine.stream.cursor import PollStamp, place
from bkjob_async.model.events import HostChanged
from bkjob_async.model.refs import HostKey, JobRef, Scope
from bkjob_async.model.status import host_status
from bkjob_async.watch.plan import WatchPlan
from bkjob_async.watch.polling.target_registry import PollTarget
from bkjob_async.watch.watch import Watch

READERS, BATCH, BATCHES, ROUNDS = 4, 100, scaled(500, 5), scaled(7, 1)
STEP = JobRef(Scope.biz(2), 100).step(200)
RUNNING, DONE = host_status(7), host_status(9)
HOSTS = tuple(
    HostKey(bk_host_id=n, bk_cloud_id=0, ip=f"10.0.{n // 250}.{n % 250}") for n in range(1, BATCH + 1)
)

Make = Callable[[int], HostChanged]
Counting = Coroutine[Any, Any, int]
Way = Callable[[Make], Counting]


def make_event(number: int) -> HostChanged:
    """Return a new event."""
    return HostChanged(ref=STEP, host=HOSTS[number], execute_count=0, before=RUNNING, after=DONE)


PREPARED = tuple(make_event(n) for n in range(BATCH))


def prepared_event(number: int) -> HostChanged:
    """Return an event that exists already."""
    return PREPARED[number]


async def by_queues(make: Make) -> int:
    """Put every event into one queue per reader."""
    queues = [asyncio.Queue[HostChanged]() for _ in range(READERS)]

    async def consume(queue: asyncio.Queue[HostChanged]) -> int:
        taken = 0
        while taken < BATCH * BATCHES:
            await queue.get()
            taken += 1
        return taken

    tasks = [asyncio.create_task(consume(queue)) for queue in queues]
    for _ in range(BATCHES):
        for number in range(BATCH):
            event = make(number)
            for queue in queues:
                await queue.put(event)
        await asyncio.sleep(0)
    return sum(await asyncio.gather(*tasks))


def by_watch(read: Callable[[Watch], Counting]) -> Way:
    """Publish whole batches to a watch; each reader reads them with *read*."""

    async def publish(make: Make) -> int:
        poller = poller_without_platform()
        plan = WatchPlan(poller=poller, check_client=lambda: None, refs=[STEP], linger=None)
        async with Watch(plan) as watch:
            tasks: list[asyncio.Task[int]] = [asyncio.create_task(read(watch)) for _ in range(READERS)]
            target = PollTarget(STEP.job)
            for number in range(1, BATCHES + 1):
                at = PollStamp(0.0, number, "")
                events = [make(n) for n in range(BATCH)]
                if make is not prepared_event:
                    place(events, at.cursor, at.at)
                watch._subscription.on_events(target, at, events, None)  # noqa: SLF001 - there is no public way
                await asyncio.sleep(0)
            await watch.aclose()
            return sum(await asyncio.gather(*tasks))

    return publish


async def whole_batches(watch: Watch) -> int:
    """Read whole polls and then their events."""
    taken = 0
    async for batch in watch.batches():
        for _ in batch.events:
            taken += 1
    return taken


def one_by_one(read: Callable[[Watch], AsyncIterator[object]]) -> Callable[[Watch], Counting]:
    """Read event by event."""

    async def consume(watch: Watch) -> int:
        taken = 0
        async for _ in read(watch):
            taken += 1
        return taken

    return consume


WAYS: dict[str, Way] = {
    "a queue and a put for each": by_queues,
    "watch.batches()": by_watch(whole_batches),
    "async for event in watch": by_watch(one_by_one(lambda watch: watch.events())),
    "watch.hosts()": by_watch(one_by_one(lambda watch: watch.hosts())),
    "watch.events(ref=...)": by_watch(one_by_one(lambda watch: watch.events(ref=STEP))),
}


def cost(way: Way, make: Make) -> float:
    """Return CPU nanoseconds per event and reader."""
    gc.collect()
    start = time.process_time_ns()
    taken: int = asyncio.run(way(make))
    spent = float(time.process_time_ns() - start)
    if taken != READERS * BATCH * BATCHES:
        raise RuntimeError(f"{taken} events arrived")
    return spent / taken


def measured(make: Make) -> Iterator[Sequence[object]]:
    """Yield a row for each way; the ways are measured in turn."""
    costs: dict[str, list[float]] = {name: [] for name in WAYS}
    for number in range(ROUNDS):
        for name in WAYS if number % 2 else reversed(WAYS):
            costs[name].append(cost(WAYS[name], make))
    queue = costs["a queue and a put for each"]
    for name, mine in costs.items():
        ratio = median(a / b for a, b in zip(mine, queue, strict=True))
        yield name, f"{median(mine):.0f}", f"{ratio:.3f}"


def main() -> None:
    """Measure and print."""
    columns = ("way", "ns", "ratio")
    show(
        f"fanout: one event to one of {READERS} readers, batches of {BATCH}",
        columns,
        [*measured(prepared_event)],
    )
    show("fanout: the same, with creating the events", columns, [*measured(make_event)])

"""Fleets in shards whose runners share a simulated platform, in one process and in virtual time."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import chain
from typing import Any
from uuid import uuid4

import pytest
from attrs import define, field

import bkjob_async as bkjob
from bkjob_async.journal.journal import Journal
from bkjob_async.many.fleet import Fleet
from bkjob_async.many.runner.shard import ShardEnd, run_shard
from bkjob_async.simulator.handlers.platform import Platform
from bkjob_async.simulator.servers.clock import WorldClock
from bkjob_async.simulator.world.world import World
from bkjob_async.testing import broken_promises, truth_of
from tests.watch.clients import CREDENTIALS, URLS, RecordingTransport


def credentials() -> bkjob.Credentials:
    """Return what runners sign with."""
    return CREDENTIALS


async def credentials_from_afar() -> bkjob.Credentials:
    """Return them as a vault would."""
    await asyncio.sleep(0.1)
    return CREDENTIALS


OWN_CREDENTIALS = f"{__name__}:credentials"


@define
class Site:
    """A platform, a fleet that is created, and the runners of its shards."""

    world: World
    fleet: Fleet
    credentials: str = OWN_CREDENTIALS
    platform: Platform = field(init=False)
    clock: WorldClock = field(factory=WorldClock)
    transports: list[RecordingTransport] = field(factory=list)
    runners: dict[int, asyncio.Task[ShardEnd]] = field(factory=dict)

    def __attrs_post_init__(self) -> None:
        self.platform = Platform(self.world)

    def run(self, shard: int, fleet: Fleet | None = None, **options: Any) -> asyncio.Task[ShardEnd]:
        """Start a runner with these *options*; return its task."""
        transport = RecordingTransport(self.platform, latency=0.02)
        transport.clock = self.clock
        self.transports.append(transport)
        task = asyncio.get_running_loop().create_task(
            run_shard(
                fleet or self.fleet, shard, credentials=self.credentials, transport=transport, **options
            )
        )
        self.runners[shard] = task
        return task

    async def batches(self, **options: Any) -> list[bkjob.Batch]:
        """Return all that was reported so far."""
        async with self.fleet.reader(live=False, **options) as reader:
            return [batch async for batch in reader]

    @property
    def request_times(self) -> list[float]:
        """When each request of any runner was sent, on the world's clock."""
        return sorted(at for transport in self.transports for at in transport.times)

    async def is_as_it_was(self) -> bool:
        """Check what was reported of each shard against the promise, and all of it against what really happened."""
        truth = truth_of(self.world.history())
        per_shard: dict[int, list[bkjob.Batch]] = {}
        async with self.fleet.reader(live=False) as reader:
            async for batch in reader:
                shard = next(each for each, cursor in reader._cursors.items() if cursor == batch.cursor)
                per_shard.setdefault(shard, []).append(batch)
        assert [promise for some in per_shard.values() for promise in broken_promises(some)] == []
        reported = {
            (event.ref, event.execute_count, event.host.label): event.after.code
            for batch in chain.from_iterable(per_shard.values())
            for event in batch.events
            if isinstance(event, bkjob.HostChanged)
        }
        assert reported == {key: codes[-1] for key, codes in truth.hosts.items()}
        return True


@asynccontextmanager
async def site_of(
    world: World | None = None,
    *,
    shards: int = 4,
    journal: str | Journal | None = None,
    **settings: Any,
) -> AsyncIterator[Site]:
    """Create a fleet in a journal of its own; end its runners behind the test."""
    async with Fleet("night", journal=journal or f"memory:{uuid4().hex}", shards=shards) as fleet:
        options = {"url": URLS["gateway-v3"], "credentials": OWN_CREDENTIALS, **settings}
        await fleet.create(**options)
        site = Site(world or World(1), fleet, options["credentials"])
        try:
            yield site
        finally:
            running = [task for task in site.runners.values() if not task.done()]
            for task in running:
                task.cancel()
            if running:
                await asyncio.wait(running)


class Clock:
    """The time of a machine: that of the event loop, and what it was set forward."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Show it from now on."""
        self.ahead = 1_700_000_000.0
        loop = asyncio.get_running_loop()
        monkeypatch.setattr(time, "time", lambda: loop.time() + self.ahead)

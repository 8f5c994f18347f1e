"""Readers of a watch that are given what its log does not hold, from a store that is away."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

import bkjob_async as bkjob
from bkjob_async.errors import JournalUnavailable
from bkjob_async.journal.keep import Keep
from bkjob_async.journal.loading import load_fleet
from bkjob_async.journal.memory.store import MemoryStore
from bkjob_async.journal.store import Checkpoint, FleetEntry, Page
from bkjob_async.simulator.world.world import World
from tests.watch.test_journal import SLOW, fleet, kinds, read

pytestmark = [pytest.mark.asyncio, pytest.mark.looptime]


class AwayStore(MemoryStore):
    """A store that takes what is written, and cannot be read for a while."""

    is_away = False
    checkpoints_away = 0

    def _check(self) -> None:
        if self.is_away:
            raise JournalUnavailable("the server is away")

    async def checkpoint(self, name: str, **options: Any) -> Checkpoint | None:
        """Return the checkpoint, but not the next times."""
        self._check()
        if self.checkpoints_away:
            self.checkpoints_away -= 1
            raise JournalUnavailable("the server is away")
        return await super().checkpoint(name, **options)

    async def read(self, name: str, after: int, **options: Any) -> Page:
        """Return records, unless it is away."""
        self._check()
        return await super().read(name, after, **options)

    async def fleet(self, name: str) -> FleetEntry | None:
        """Return the fleet, unless it is away."""
        self._check()
        return await super().fleet(name)


async def test_a_reader_is_given_the_present_when_the_store_can_be_read_again() -> None:
    """It failed where the store went away between two reads; elsewhere it waits."""
    world, store = World(1), AwayStore(Keep(bytes=1))
    job = world.add(SLOW)
    async with fleet(world, store, job, linger=None):
        await asyncio.sleep(6.0)
    fold = (await load_fleet(store, "night")).fold
    await store.write_checkpoint("night", Checkpoint(fold.sequence, [*fold.parts()]), term=1)
    events: list[bkjob.Event] = []
    async with fleet(world, store) as watch:
        store.checkpoints_away = 3
        await read(watch, events, "")

    assert store.checkpoints_away == 0
    assert kinds(events)[-1] == "finished"


@pytest.mark.parametrize("is_behind", [True, False])
async def test_a_deadline_ends_a_reader_that_waits_for_its_store(*, is_behind: bool) -> None:
    """Within two seconds, also one that has not read yet what was stored before; it waited for as long as the store was away."""
    world, store, loop = World(1), AwayStore(), asyncio.get_running_loop()
    job = world.add(SLOW)
    async with fleet(world, store, job, linger=None):
        await asyncio.sleep(2.0)
    begun, events = loop.time(), list[bkjob.Event]()
    async with fleet(world, store, linger=None, deadline=10.0) as watch:
        store.is_away = True
        with pytest.raises(bkjob.DeadlineExceeded):
            async with asyncio.timeout(100.0):
                await read(watch, events, "" if is_behind else None)
        taken = loop.time() - begun
        store.is_away = False

    assert 10.0 <= taken <= 12.0

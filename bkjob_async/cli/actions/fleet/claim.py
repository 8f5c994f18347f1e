"""Run shards of a fleet that nobody runs, so many at a time, and never one whose runner lives."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable

import bkjob_async as bkjob
from bkjob_async.cli.lines import write_note
from bkjob_async.journal.store import ALIVE_SECONDS
from bkjob_async.many.upkeep import WORKS_SECONDS, pause_before

# Seconds between looks for a shard that nobody runs, and at most as many again, so that processes do not look together.
LOOK_SECONDS = 2.0
# A runner that lives gives a sign of life within so many seconds, whatever clocks say.
SILENT_SECONDS = 6.0

# Runs a shard of this status until it ends; returns how it ended, or raises, `FleetBusy` where another process has it meanwhile.
Run = Callable[[bkjob.ShardStatus], Awaitable[bkjob.ShardEnd]]
FATAL = (bkjob.UsageError, bkjob.FleetNotFound, bkjob.JournalAccessDenied, bkjob.JournalTooNew)


class Claims:
    """The shards that one process runs, each by a slot of its own.

    A shard may be claimed when its runner has ended, or gave no sign of life for 30 seconds: such a runner has stopped to
    poll, or is dead. The store looks again in the step in which it gives the shard away, so where two processes claim a shard
    at the same moment, one of them has it, and the other claims another. A clock that is set makes a runner silent that
    lives: this process must see it silent for some seconds of its own, too.
    """

    def __init__(self, fleet: bkjob.Fleet, run: Run, dice: random.Random | None = None) -> None:
        """Claim shards of *fleet*; *run* runs one."""
        self.shards: set[int] = set()
        self._fleet = fleet
        self._run = run
        self._dice = dice or random.Random()  # noqa: S311 - no secret
        self._looking = asyncio.Lock()
        # Since when each shard was seen with a silent runner, and in which term.
        self._silent: dict[int, tuple[float, int]] = {}

    async def keep(self, slots: int) -> None:
        """Run so many shards at a time, until the fleet is stopped; raise what only a person can help with."""
        tasks = [asyncio.create_task(self._keep_one()) for _ in range(slots)]
        try:
            await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)

    async def _keep_one(self) -> None:
        loop, failures = asyncio.get_running_loop(), 0
        while (claimed := await self._claim()) is not None:
            shard = claimed.shard
            begun, pause = loop.time(), LOOK_SECONDS * self._dice.random()
            try:
                if await self._run(claimed) is bkjob.ShardEnd.STOPPED:
                    return
            except bkjob.FleetBusy:
                pass
            except FATAL:
                raise
            except Exception as error:  # noqa: BLE001 - also a defect must not end the other shards
                failures = 1 if loop.time() - begun > WORKS_SECONDS else failures + 1
                pause = pause_before(failures)
                write_note(
                    f"shard {shard} failed ({type(error).__name__}: {error}); another one in {pause:g} s"
                )
            finally:
                self.shards.discard(shard)
            await asyncio.sleep(pause)

    async def _claim(self) -> bkjob.ShardStatus | None:
        """Wait for a shard that nobody runs, and note that it is ours; return None where the fleet was stopped."""
        while True:
            async with self._looking:
                try:
                    status = await self._fleet.status()
                except bkjob.JournalAccessDenied:
                    raise
                except bkjob.JournalUnavailable as error:
                    write_note(f"the journal cannot be read, and is tried again: {error}")
                else:
                    if status.is_stopped:
                        return None
                    free = self._free_of(status)
                    if free := [each for each in free if each.shard not in self.shards]:
                        chosen = self._dice.choice(free)
                        self.shards.add(chosen.shard)
                        return chosen
            await asyncio.sleep(LOOK_SECONDS * (1.0 + self._dice.random()))

    def _free_of(self, status: bkjob.FleetStatus) -> list[bkjob.ShardStatus]:
        """Return the shards that have no runner, or one that has been silent for long enough."""
        now, before = asyncio.get_running_loop().time(), self._silent
        self._silent = {}
        free = []
        for each in status.shards:
            if each.has_runner:
                continue
            since, term = before.get(each.shard, (now, each.term))
            since = since if term == each.term else now
            self._silent[each.shard] = (since, each.term)
            if not each.is_held or (each.silence >= ALIVE_SECONDS and now - since >= SILENT_SECONDS):
                free.append(each)
        return free

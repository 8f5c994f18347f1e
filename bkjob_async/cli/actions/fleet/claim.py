"""Run shards of a fleet that nobody runs, so many at a time, and never one whose runner lives."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable

import bkjob_async as bkjob
from bkjob_async.cli.lines import write_note
from bkjob_async.many.upkeep import WORKS_SECONDS, pause_before

# Seconds between looks for a shard that nobody runs, and at most as many again, so that processes do not look together.
LOOK_SECONDS = 2.0

# Runs a shard of this status until it ends: taken over from a silent runner if one holds it. Returns how it ended, or raises.
Run = Callable[[bkjob.ShardStatus], Awaitable[bkjob.ShardEnd]]
FATAL = (bkjob.UsageError, bkjob.FleetNotFound, bkjob.JournalAccessDenied, bkjob.JournalTooNew)


class Claims:
    """The shards that one process runs, each by a slot of its own.

    A shard may be claimed when its runner has ended, or gave no sign of life for ten seconds: such a runner has stopped to
    poll, or is dead. Where two processes claim a shard at the same moment, one of them has it, and the other claims another.
    """

    def __init__(self, fleet: bkjob.Fleet, run: Run, dice: random.Random | None = None) -> None:
        """Claim shards of *fleet*; *run* runs one."""
        self.shards: set[int] = set()
        self._fleet = fleet
        self._run = run
        self._dice = dice or random.Random()  # noqa: S311 - no secret
        self._looking = asyncio.Lock()

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
                # A runner that ended gave its shard back: who is first has it. One that is silent cannot.
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
                    free = [each for each in status.shards if not each.has_runner]
                    if free := [each for each in free if each.shard not in self.shards]:
                        chosen = self._dice.choice(free)
                        self.shards.add(chosen.shard)
                        return chosen
            await asyncio.sleep(LOOK_SECONDS * (1.0 + self._dice.random()))

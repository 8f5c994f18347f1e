"""Run shards of a fleet that nobody runs, so many at a time, and never one whose runner lives."""

from __future__ import annotations

import asyncio
import random
import socket
from collections.abc import Awaitable, Callable
from contextlib import suppress

import bkjob_async as bkjob
from bkjob_async.cli.lines import write_note
from bkjob_async.journal.shards import shard_name
from bkjob_async.journal.store import ALIVE_SECONDS, Holder
from bkjob_async.many.runner.ending import connected, has_ended, socket_name
from bkjob_async.many.upkeep import WORKS_SECONDS, pause_before

# Seconds between looks for a shard that nobody runs, and at most as many again, so that processes do not look together.
# A standby looks more often, for what runners on other machines give back.
LOOK_SECONDS, STANDBY_LOOK_SECONDS = 2.0, 0.25
# The store takes a runner for silent so much later at most than a status says so.
LATER_SECONDS = 0.05
# A runner that lives gives a sign of life within so many seconds, whatever clocks say.
SILENT_SECONDS = 6.0

# Runs a shard of this status until it ends; returns how it ended, or raises, `FleetBusy` where another process has it
# meanwhile.
Run = Callable[[bkjob.ShardStatus], Awaitable[bkjob.ShardEnd]]
FATAL = (bkjob.UsageError, bkjob.FleetNotFound, bkjob.JournalAccessDenied, bkjob.JournalTooNew)


class Claims:
    """The shards that one process runs, each by a slot of its own.

    A shard may be claimed when its runner has ended, or gave no sign of life for 25 seconds: such a runner has stopped to
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
        self._look_seconds = LOOK_SECONDS
        # The runners on this machine whose end is waited for, by shard, term and process; and whether one has ended.
        self._ends: dict[tuple[int, int, Holder], asyncio.Task[None]] = {}
        self._has_ended = asyncio.Event()
        self._created: float | None = None
        self._is_away = False

    async def keep(self, slots: int) -> None:
        """Run so many shards at a time, until the fleet is stopped; raise what only a person can help with."""
        tasks = [asyncio.create_task(self._keep_one()) for _ in range(slots)]
        try:
            await asyncio.gather(*tasks)
        finally:
            tasks += self._ends.values()
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)

    async def stand_by(self, slots: int) -> None:
        """Do the same, and look for shards so often that one that is given back is run within a second."""
        self._look_seconds = STANDBY_LOOK_SECONDS
        await self.keep(slots)

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
            wait = self._look_seconds * (1.0 + self._dice.random())
            async with self._looking:
                self._has_ended.clear()
                try:
                    status = await self._fleet.status()
                    await self._wait_for_ends(status)
                except bkjob.JournalAccessDenied:
                    raise
                except bkjob.JournalUnavailable as error:
                    if not self._is_away:
                        self._is_away = True
                        write_note(f"the journal cannot be read, and is tried again: {error}")
                else:
                    if self._is_away:
                        self._is_away = False
                        write_note("the journal can be read again")
                    if status.is_stopped:
                        return None
                    free = self._free_of(status)
                    if free := [each for each in free if each.shard not in self.shards]:
                        chosen = self._dice.choice(free)
                        self.shards.add(chosen.shard)
                        return chosen
                    wait = min(wait, self._seconds_until_free(status))
            with suppress(TimeoutError):
                async with asyncio.timeout(wait):
                    await self._has_ended.wait()

    async def _wait_for_ends(self, status: bkjob.FleetStatus) -> None:
        """Have a connection to each runner on this machine but our own."""
        if self._created is None:
            record = await self._fleet.journal.shards.record(self._fleet.name)
            self._created = 0.0 if record is None else record.created
        for each in status.shards:
            if each.holder is None or not each.is_held or each.shard in self.shards:
                continue
            key = (each.shard, each.term, each.holder)
            if key in self._ends:
                continue
            connection = connected(socket_name(self._fleet.name, self._created, *key))
            if connection is not None:
                self._ends[key] = asyncio.create_task(self._wait_for_end(connection, key))

    async def _wait_for_end(self, connection: socket.socket, key: tuple[int, int, Holder]) -> None:
        """Give a shard back when its runner has ended, unless it has done so, or another term has begun."""
        shard, term, _ = key
        try:
            is_left = await has_ended(connection)
            while is_left:
                try:
                    await self._fleet.journal.store.release(shard_name(self._fleet.name, shard), term=term)
                    is_left = False
                except bkjob.JournalUnavailable:
                    await asyncio.sleep(LOOK_SECONDS)
            self._has_ended.set()
        finally:
            connection.close()
            del self._ends[key]

    def _seconds_until_free(self, status: bkjob.FleetStatus) -> float:
        """Return when the first of the shards with a silent runner may be claimed."""
        left = [ALIVE_SECONDS - each.silence for each in status.shards if each.shard in self._silent]
        return min((each + LATER_SECONDS for each in left if each > 0.0), default=ALIVE_SECONDS)

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

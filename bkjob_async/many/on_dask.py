"""Keep the shards of a fleet placed on the workers of Dask: one task for each, submitted again when it ends.

The extra `dask` installs what this module needs; nothing else imports it.
"""

from __future__ import annotations

import asyncio
import logging
import os
import sys
from collections.abc import Mapping
from contextlib import suppress
from importlib import import_module
from typing import Any

from bkjob_async.errors import BkJobError, JournalUnavailable, UsageError
from bkjob_async.journal.store import ALIVE_SECONDS
from bkjob_async.journal.urls import MemoryPlace, RedisPlace, parse_journal_url
from bkjob_async.many import upkeep
from bkjob_async.many.environment import ENVIRONMENT_CREDENTIALS
from bkjob_async.many.fleet import Fleet
from bkjob_async.many.logs import log_to_stderr
from bkjob_async.many.runner.shard import ShardEnd, run_shard

VARIABLE = "BKJOB_JOURNAL"
URL_VARIABLE, CREDENTIALS_VARIABLE = "BKJOB_URL", "BKJOB_CREDENTIALS"
# Seconds between looks at tasks, at the fleet, and at a shard that another runner has.
TASK_SECONDS, FLEET_SECONDS, OTHER_SECONDS = 0.25, 1.0, 2.0
# The scheduler may not know a task that was submitted less than so many seconds ago.
UNKNOWN_SECONDS = 5.0
# Seconds between attempts at a scheduler that is away, and that runners have to end when the fleet is stopped.
RECONNECT_SECONDS, STOP_SECONDS = 1.0, 15.0
# States of Dask's tasks that will still run.
LIVE = frozenset({"processing", "waiting", "queued", "no-worker", "released"})

try:
    # Without types in places.
    distributed: Any = import_module("distributed")
except ModuleNotFoundError:
    raise UsageError("fleets on Dask need distributed: pip install 'bkjob-async[dask]'") from None

logger = logging.getLogger("bkjob_async")


class SchedulerLost(Exception):
    """The connection to the scheduler ended."""


async def keep_placed(fleet: Fleet, scheduler: str) -> None:
    """Let the workers of a Dask *scheduler* run all shards of a fleet; return when the fleet is stopped.

    *scheduler* is an address such as `tcp://scheduler:8786`. Each shard is a task `bkjob-NAME-SHARD` that takes a
    thread and a unit of the resource `bkjob` of a worker. A task that ends is submitted again after 1 to 60 seconds;
    where another runner has the shard, only once that one has gone. Several launchers keep one fleet together, and
    tasks go on without any. While the scheduler is away it is tried again. The journal's URL goes to the workers,
    unless it has a password: then they read `BKJOB_JOURNAL` of their own environment. The function that they call for
    credentials, if it is not the one that reads the environment, is named by `BKJOB_CREDENTIALS` there.

    Raises `FleetNotFound`, and `UsageError` for workers with other versions, too few slots for all shards, or a journal
    that workers cannot open. A warning is logged where one worker less would be too few.
    """
    shards = (await fleet.settings()).placement.shards
    journal = journal_for_workers(fleet)
    is_checked = was_lost = False
    while not await is_stopped(fleet):
        try:
            async with distributed.Client(scheduler, asynchronous=True, set_as_default=False) as client:
                if was_lost:
                    logger.info("the scheduler %s can be reached again", scheduler)
                    was_lost = False
                if not is_checked:
                    await check_workers(client, shards)
                    is_checked = True
                await Launcher(client, fleet, journal, shards).run()
                return
        except (SchedulerLost, OSError, TimeoutError) as error:
            if not was_lost:
                logger.warning("the scheduler %s is away, and is tried again: %s", scheduler, error)
                was_lost = True
        await asyncio.sleep(RECONNECT_SECONDS)


async def run_placed(name: str, journal: str | None, shard: int) -> str:
    """Run a shard on a worker; return how it ended. Errors are raised as text, which every process can read.

    Where the worker configures no logging for it, warnings go to its stderr, with their times.
    """
    if not logger.hasHandlers():
        log_to_stderr()
    url = journal or os.environ.get(VARIABLE)
    if not url:
        raise RuntimeError(f"UsageError: set {VARIABLE} in the environment of this worker")
    try:
        async with Fleet(name, journal=url) as fleet:
            own = os.environ.get(CREDENTIALS_VARIABLE) or ENVIRONMENT_CREDENTIALS
            end = await run_shard(
                fleet,
                shard,
                credentials=own,
                url=os.environ.get(URL_VARIABLE),
                journal_timeout=ALIVE_SECONDS,  # then others may take it for dead
            )
            return end.value
    except BkJobError as error:
        text = f"{type(error).__name__}: {error}"
    raise RuntimeError(text)


def journal_for_workers(fleet: Fleet) -> str | None:
    """Return the URL of the fleet's journal, None where it has a password; raise `UsageError` where workers cannot use it."""
    if fleet.journal_url is None:
        raise UsageError("workers open the journal themselves: Fleet(name, journal=URL)")
    place = parse_journal_url(fleet.journal_url)
    if isinstance(place, MemoryPlace):
        raise UsageError("a journal in memory is that of one process: give redis://HOST")
    return None if isinstance(place, RedisPlace) and place.has_password else fleet.journal_url


async def check_workers(client: Any, shards: int) -> None:
    """Compare versions and count slots on all workers; raise `UsageError`, or log a warning."""
    versions = await client.get_versions(packages=["bkjob_async"])
    workers = {name: versions_in(found) for name, found in versions["workers"].items()}
    upkeep.check_versions(versions_in(versions["client"]), workers)
    info = await client.scheduler.identity(n_workers=-1)
    slots = {
        name: upkeep.slots_of(worker["nthreads"], worker.get("resources", {}))
        for name, worker in info["workers"].items()
    }
    warning = upkeep.check_slots(slots, shards)
    if warning is not None:
        logger.warning("%s", warning)


def versions_in(found: Mapping[str, Any]) -> dict[str, str | None]:
    """Return the versions that must be the same everywhere."""
    packages, host = found["packages"], found["host"]
    python = str(packages.get("python") or dict(host).get("python") or sys.version)
    return {
        "bkjob_async": packages.get("bkjob_async"),
        "distributed": packages.get("distributed"),
        "python": ".".join(python.split(".")[:2]),
    }


async def is_stopped(fleet: Fleet) -> bool:
    """Return True where the fleet was stopped; False where the journal does not answer."""
    try:
        return await fleet.is_stopped()
    except JournalUnavailable:
        return False


def tasks_on(dask_scheduler: Any, prefix: str) -> dict[str, str]:
    """Return the state of each task whose key begins with *prefix*; runs on the scheduler."""
    return {str(key): task.state for key, task in dask_scheduler.tasks.items() if str(key).startswith(prefix)}


class Launcher:
    """Keeps each shard in a task, through one connection to a scheduler."""

    def __init__(self, client: Any, fleet: Fleet, journal: str | None, shards: int) -> None:
        """Prepare; *client* is Dask's, and open."""
        self._client = client
        self._fleet = fleet
        self._journal = journal
        self._shards = shards
        self._tasks: dict[str, str] = {}
        self._looked_at = 0.0

    async def run(self) -> None:
        """Keep all shards placed until the fleet is stopped; raise `SchedulerLost`."""
        create_task = asyncio.get_running_loop().create_task
        await self._look()
        keeping = [create_task(self._keep(shard)) for shard in range(self._shards)]
        try:
            while not await is_stopped(self._fleet):
                done, _ = await asyncio.wait(
                    keeping, timeout=FLEET_SECONDS, return_when=asyncio.FIRST_EXCEPTION
                )
                for task in done:
                    task.result()
                await self._look()
                if len(done) == len(keeping):
                    await asyncio.sleep(FLEET_SECONDS)
            with suppress(TimeoutError, JournalUnavailable):
                async with asyncio.timeout(STOP_SECONDS):
                    while (await self._fleet.status()).held:  # noqa: ASYNC110 - other processes
                        await asyncio.sleep(TASK_SECONDS)
        finally:
            for task in keeping:
                task.cancel()
            await asyncio.gather(*keeping, return_exceptions=True)

    async def _keep(self, shard: int) -> None:
        """Submit the task of a shard, again and again, until it ends because the fleet was stopped."""
        loop, failures, last = asyncio.get_running_loop(), 0, None
        while True:
            begun = loop.time()
            future, last = self._find_or_submit(shard, last)
            end, said = await self._end_of(future)
            future.release()
            if end is ShardEnd.STOPPED and await is_stopped(self._fleet):
                return
            if end is not None:
                await self._wait_for_room(shard)
            failures = 1 if loop.time() - begun > upkeep.WORKS_SECONDS else failures + 1
            pause = upkeep.pause_before(failures)
            logger.warning("shard %s/%d ended (%s); again in %g s", self._fleet.name, shard, said, pause)
            await asyncio.sleep(pause)

    def _find_or_submit(self, shard: int, last: int | None) -> tuple[Any, int]:
        """Return the future of a shard's task that runs or will run, or of a new one, and the number of the attempt.

        Dask makes one task of all that is submitted with the same key.
        """
        name = self._fleet.name
        known = upkeep.attempts_of(self._tasks, name, shard)
        live = [each for each in known if self._tasks[upkeep.task_key(name, shard, each)] in LIVE]
        is_found = bool(live) and (last is None or live[-1] > last)
        attempt = live[-1] if is_found else upkeep.next_attempt(last, known)
        future = self._client.submit(
            run_placed,
            name,
            self._journal,
            shard,
            key=upkeep.task_key(name, shard, attempt),
            resources={upkeep.RESOURCE: 1},
            pure=False,
        )
        distributed.fire_and_forget(future)
        logger.info("shard %s/%d is %s as %s", name, shard, "found" if is_found else "submitted", future.key)
        return future, attempt

    async def _end_of(self, future: Any) -> tuple[ShardEnd | None, str]:
        """Wait until a task has ended; return how, None for an error, and the same in words."""
        begun = asyncio.get_running_loop().time()
        while not future.done():
            self._check_connection()
            await asyncio.sleep(TASK_SECONDS)
            if self._looked_at > begun + UNKNOWN_SECONDS and self._tasks.get(future.key) not in LIVE:
                # It has ended, and the scheduler does not tell this client how.
                await asyncio.sleep(FLEET_SECONDS)
                if not future.done():
                    return ShardEnd.SUPERSEDED, "its task is gone"
        self._check_connection()
        if future.status == "finished":
            with suppress(ValueError):
                end = ShardEnd(await future.result())
                return end, end.value
        if future.status != "error":
            raise SchedulerLost(f"a task was {future.status}")
        error = await future.exception()
        return None, f"{type(error).__name__}: {error}"

    async def _look(self) -> None:
        """Look at all tasks of the fleet on the scheduler."""
        at = asyncio.get_running_loop().time()
        self._tasks = await self._client.run_on_scheduler(tasks_on, prefix=f"bkjob-{self._fleet.name}-")
        self._looked_at = at

    def _check_connection(self) -> None:
        if self._client.status != "running":
            raise SchedulerLost(f"the connection is {self._client.status}")

    async def _wait_for_room(self, shard: int) -> None:
        """Wait until no other runner of a shard lives."""
        while True:
            with suppress(JournalUnavailable):
                status = await self._fleet.status()
                if status.is_stopped or not status.shards[shard].has_runner:
                    return
            await asyncio.sleep(OTHER_SECONDS)


__all__ = ["keep_placed"]

"""A store that loses its newest records in a random history, and what readers must be given all the same."""

from __future__ import annotations

import asyncio
from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from attrs import evolve

import bkjob_async as bkjob
from bkjob_async.journal.memory.store import MemoryFleet, MemoryStore
from bkjob_async.testing import broken_promises
from tests.watch.inside import fleets_in

# A present state that is given in place of records says so, too, or has no `Resumed`.
IN_SYNC_AGAIN = "in sync a second time"


def copied(fleet: MemoryFleet) -> MemoryFleet:
    """Return what a replica, or a backup, has of a fleet."""
    return evolve(fleet, records=[*fleet.records], waiters=set())


async def go_back(store: MemoryStore, moment: float, seconds: float) -> None:
    """Give a *store* back at a *moment* what it had so many *seconds* before; waits for both."""
    loop = asyncio.get_running_loop()
    await asyncio.sleep(moment - seconds - loop.time())
    kept = {name: copied(fleet) for name, fleet in fleets_in(store).items()}
    await asyncio.sleep(moment - loop.time())
    fleets_in(store).clear()
    fleets_in(store).update(kept)


def state_in(batches: Iterable[bkjob.Batch]) -> dict[Any, Any]:
    """Return the last status of each host, step and job that *batches* report; of a step, the hosts of its last execution."""
    hosts: dict[bkjob.StepRef, tuple[int, dict[str, int]]] = {}
    runs: dict[Any, Any] = {}
    for event in (event for batch in batches for event in batch.events):
        if isinstance(event, bkjob.HostChanged):
            known = hosts.get(event.ref)
            if known is None or known[0] != event.execute_count:
                known = hosts[event.ref] = event.execute_count, {}
            known[1][event.host.label] = event.after.code
        elif isinstance(event, bkjob.StepChanged | bkjob.JobChanged):
            runs[event.ref] = event.after.code, event.is_finished
        elif isinstance(event, bkjob.Reopened) and event.ref in runs:
            runs[event.ref] = runs[event.ref][0], False  # it may go on in the same status
    each = {(ref, label): code for ref, (_, codes) in hosts.items() for label, code in codes.items()}
    return each | runs


def missing(who: str, given: Mapping[Any, Any], stored: Mapping[Any, Any]) -> list[str]:
    """Return what of the *stored* state a reader was *given* otherwise, or not at all."""
    return [
        f"{who}: {key} is {value}, and was last given as {given.get(key)}"
        for key, value in stored.items()
        if given.get(key) != value
    ]


def broken_in_parts(
    batches: Sequence[bkjob.Batch], losses: int, *, after: str = "", **starts: Any
) -> list[str]:
    """Return what a reader saw broken that may have begun anew up to *losses* times, with what the store had left.

    *starts* are those of `broken_promises`.
    """

    def broken(count: int) -> list[str]:
        # A present state may have the number of the last batch, or the cursor behind all events of one that was read in part;
        # trouble with the store itself is not recorded.
        known = (IN_SYNC_AGAIN, "comes after batch", "cursor of another batch", "JournalUnavailable")
        found = broken_promises(batches[:count], after=after, **starts)
        return [each for each in found if not any(part in each for part in known)]

    whole = bisect_left(range(len(batches) + 1), 1, key=lambda count: len(broken(count))) - 1
    if whole < len(batches) and losses:
        for n in range(whole, 0, -1):
            if not broken_in_parts(batches[n:], losses - 1, after=batches[n - 1].cursor, **starts):
                return []
    return broken(len(batches))
